/** Middleware for Express, Connect and plain `node:http`. Knows their requests by shape, so it needs no types of theirs. */
import { admit, checkRequirements, readBearer, type Requirements } from './answer.ts'
import type { Accepted } from './result.ts'
import type { Verifier } from './verifier.ts'

export type { Requirements } from './answer.ts'

/** The part of `http.IncomingMessage` that is used. */
export interface NodeRequest {
  readonly headers: { readonly authorization?: string | undefined }
}

/** The part of `http.ServerResponse` that is used. */
export interface NodeResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

export type NodeMiddleware = (req: NodeRequest, res: NodeResponse, next: (error?: unknown) => void) => Promise<void>

const tokens = new WeakMap<NodeRequest, Accepted>()

/**
 * Lets requests through that carry a good access token in their `Authorization` header, with every scope and role that
 * is required. Others are answered: 401 and 403 as RFC 6750 section 3 has it, 503 when the token cannot be judged.
 *
 * `next` gets a bug of the verifier's as its argument. In plain `node:http`, look: `(error) => { … }`.
 *
 * @throws {TypeError} when the requirements are not lists of strings, or have another name
 */
export function requireToken(verifier: Verifier, requirements: Requirements = {}): NodeMiddleware {
  checkRequirements(requirements)
  const handle = async (req: NodeRequest, res: NodeResponse): Promise<boolean> => {
    const token = readBearer(req.headers.authorization)
    const admission = admit(token === undefined ? undefined : await verifier.verify(token), requirements)
    if (admission.ok) {
      tokens.set(req, admission.token)
      return true
    }
    const { status, headers, body } = admission.answer
    res.statusCode = status
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
    res.end(body)
    return false
  }
  return async (req, res, next) => {
    let isAdmitted: boolean
    try {
      isAdmitted = await handle(req, res)
    } catch (error) {
      return next(error)
    }
    // Outside: what the rest of the application throws is not ours to catch.
    if (isAdmitted) next()
  }
}

/** The token that {@link requireToken} let in. @throws if the request did not pass it */
export function tokenOf(req: NodeRequest): Accepted {
  const token = tokens.get(req)
  if (!token) throw new Error('latchkey/verifier/node: the request did not pass requireToken')
  return token
}
