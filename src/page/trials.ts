import type { Session } from '../browser/index.ts'
import { copyOnPress } from './clipboard.ts'
import { element, write } from './elements.ts'

const WATCH_MS = 5000

/** The buttons with which the session is tried. */
export function createTrials(session: Session, announce: (text: string) => void): void {
  const result = element('result', HTMLElement)
  const watch = element('watch', HTMLInputElement)
  const tell = (text: string) => {
    write(result, text)
    announce(text)
  }
  const onPress = (id: string, act: () => Promise<void>) =>
    element(id, HTMLButtonElement).addEventListener('click', () => void act())

  onPress('call', async () => tell(await check(session)))
  onPress('refresh', async () => tell(await provokeRefresh(session)))
  onPress('try-now', async () => {
    const { kind } = await session.restore()
    if (kind === 'offline') announce('Still no answer. Your session is kept.')
    // The button is gone: the focus goes on at the top.
    if (kind === 'signed-in') element('session-title', HTMLElement).focus()
  })
  const sayStillIn = (why: string) =>
    write(element('sign-out-error', HTMLElement), why && `You are still signed in. ${why}`)
  const signOut = async () => {
    const outcome = await session.logout()
    sayStillIn(outcome.ok ? '' : outcome.message)
  }
  onPress('sign-out', signOut)
  onPress('sign-out-everywhere', async () => {
    // The others first: afterwards nobody could ask any more.
    const others = await session.fetch('/v1/sessions', { method: 'DELETE' }).catch(() => undefined)
    if (others?.ok) await signOut()
    else sayStillIn('Your other sessions could not be ended: try again.')
  })
  copyOnPress(element('copy-link', HTMLButtonElement), () => location.href, announce)
  copyOnPress(element('copy-token', HTMLButtonElement), session.getAccessToken, announce)
  setInterval(() => {
    const isSeen = document.visibilityState === 'visible'
    if (watch.checked && isSeen && session.status().kind === 'signed-in') void check(session)
  }, WATCH_MS)
}

/** Asks an API whether the session is alive, as a service behind a gateway would. */
async function check(session: Session): Promise<string> {
  try {
    return describe(await session.fetch('/v1/verify'))
  } catch {
    return 'No answer. Your session is kept.'
  }
}

function describe({ status, ok, headers }: Response): string {
  if (ok) return `${status}: the session is alive (${headers.get('X-Session-Check')}).`
  return status === 401
    ? `${status}: the token was refused.`
    : `${status}: the service cannot decide now. Your session is kept.`
}

/** An API that wants tokens for somebody else refuses this one: the library then fetches another and tries once more. */
async function provokeRefresh(session: Session): Promise<string> {
  let refreshed = false
  const stop = session.subscribe(({ type }) => {
    if (type === 'refreshed' || type === 'shared') refreshed = true
  })
  try {
    const answer = await session.fetch('/v1/verify?audience=https://elsewhere.example')
    if (answer.status !== 401) return describe(answer)
    return refreshed
      ? 'The API refused the token, so a fresh one was fetched.'
      : 'The API refused a token that was just replaced for that reason: not again for 30 seconds.'
  } catch {
    return 'No answer. Your session is kept.'
  } finally {
    stop()
  }
}
