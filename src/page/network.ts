/** One request of the page and how it was answered. Neither bodies nor tokens. */
export interface Exchange {
  readonly method: string
  readonly path: string
  /** 0 if no answer arrived. */
  readonly status: number
  readonly tookMs: number
  readonly requestId?: string | undefined
  /** `live`, `cached` or `stale`, where the answer says how the session was checked. */
  readonly check?: string | undefined
}

/** `fetch`, telling of each exchange. */
export function recordingFetch(record: (exchange: Exchange) => void): typeof fetch {
  return async (input, init) => {
    const request = input instanceof Request ? input : new Request(input, init)
    const call = { method: request.method, path: new URL(request.url).pathname }
    const startedMs = performance.now()
    const tookMs = () => Math.round(performance.now() - startedMs)
    try {
      const answer = await fetch(input, init)
      const { status, headers } = answer
      record({
        ...call,
        status,
        tookMs: tookMs(),
        requestId: headers.get('X-Request-Id') ?? undefined,
        check: headers.get('X-Session-Check') ?? undefined,
      })
      return answer
    } catch (error) {
      record({ ...call, status: 0, tookMs: tookMs() })
      throw error
    }
  }
}

/** What an answer means for the session, in a few words. */
export function meaningOf({ path, status, check }: Exchange): string {
  if (status === 0) return 'No answer arrived. The session is kept.'
  if (status === 503) return 'The service cannot decide now. The session is kept.'
  switch (`${path} ${status}`) {
    case '/v1/accounts 201':
      return 'Account made'
    case '/v1/accounts 409':
      return 'That username is taken'
    case '/v1/accounts 422':
      return 'Username or password not allowed'
    case '/v1/login 401':
      return 'Wrong username or password'
    case '/v1/login 200':
      return 'Signed in'
    case '/v1/refresh 200':
      return 'A fresh access token'
    case '/v1/refresh 401':
      return 'The session is over'
    case '/v1/logout 204':
      return 'Signed out'
    case '/v1/verify 204':
      return checkMeanings.get(check ?? '') ?? 'The session is alive'
    case '/v1/verify 401':
      return 'The token was refused'
    default:
      return status < 400 ? 'Done' : 'Refused'
  }
}

const checkMeanings = new Map([
  ['live', 'Alive, says the store just now'],
  ['cached', 'Alive, remembered for a second'],
  ['stale', 'Alive when the store last answered'],
])
