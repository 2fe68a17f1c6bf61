/** The name of who signed in, for the page's greeting: no token says it. It is forgotten with its session. */
const NAME = 'latchkey page user'
/** This browser has signed in before: it is offered to sign in, not to sign up. */
const VISITED = 'latchkey page visited'

export function rememberUser(sessionId: string, username: string): void {
  put(NAME, `${sessionId} ${username}`)
  put(VISITED, 'yes')
}

/** The name that goes with the session, or with whichever there was. */
export function rememberedUser(sessionId?: string): string | undefined {
  const [id = '', ...name] = (get(NAME) ?? '').split(' ')
  return id && (sessionId === undefined || id === sessionId) ? name.join(' ') : undefined
}

export function forgetUser(): void {
  put(NAME, '')
}

export function hasSignedInBefore(): boolean {
  return get(VISITED) === 'yes'
}

/** Storage may be forbidden: then the page greets nobody by name. */
function put(name: string, value: string): void {
  try {
    localStorage.setItem(name, value)
  } catch {
    // Nothing depends on it.
  }
}

function get(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined
  } catch {
    return undefined
  }
}
