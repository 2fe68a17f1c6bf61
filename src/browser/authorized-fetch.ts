import { SessionError } from './api.ts'
import type { Token } from './token.ts'

interface Parts {
  readonly send: (request: Request) => Promise<Response>
  /** Origins that may get the token. */
  readonly origins: readonly (string | undefined)[]
  /** @throws {SessionError} */
  readonly usableToken: () => Promise<Token>
  /** Another token than this one, which an API has refused; nothing if there is none to be had. */
  readonly replace: (rejected: Token) => Promise<Token | undefined>
}

/** `fetch` with the access token, RFC 6750 section 2.1. After a 401 it tries once more, with another token. */
export function createAuthorizedFetch({ send, origins, usableToken, replace }: Parts) {
  return async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const { origin } = new URL(request.url)
    if (!origins.includes(origin)) throw new SessionError('origin_not_listed', `Not in apis: ${origin}`)
    const { signal } = request
    signal.throwIfAborted()
    const abandoned = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const token = await Promise.race([usableToken(), abandoned])
    // A body can be sent only once: the copy goes first.
    const answer = await send(bearing(token, request.clone()))
    if (answer.status !== 401) return answer
    const another = await replace(token)
    return another ? send(bearing(another, request)) : answer
  }
}

function bearing({ value }: Token, request: Request): Request {
  request.headers.set('Authorization', `Bearer ${value}`)
  return request
}
