/** What the tabs of one origin tell each other about a session. Only pages of the origin can listen. */
import type { Ending, Failing, Grant } from './wire.ts'

export type Message =
  /** Who has a token that is not due yet? */
  | { readonly type: 'ask' }
  /** Here is one; `lifetimeMs` is what is left of it. */
  | ({ readonly type: 'token' } & Grant)
  /** The service could not answer: wait too. */
  | ({ readonly type: 'retry'; readonly inMs: number } & Failing)
  /** This session is over. */
  | ({ readonly type: 'ended'; readonly sessionId: string } & Ending)

/** Nothing for what is not a message, or one of another version. */
export function parseMessage(data: unknown): Message | undefined {
  const { type, kind, inMs, lifetimeMs, ...texts }: Record<string, unknown> = Object(data)
  const text = (name: string) => (typeof texts[name] === 'string' ? texts[name] : '')
  const [sessionId, code, message] = [text('sessionId'), text('code'), text('message')]
  switch (type) {
    case 'ask':
      return { type }
    case 'token':
      return { type, token: text('token'), sessionId, lifetimeMs: Number(lifetimeMs) || 0 }
    case 'retry':
      return { type, inMs: Number(inMs) || 0, code, message }
    case 'ended':
      return { type, sessionId, kind: kind === 'superseded' || kind === 'expired' ? kind : 'signed-out', code, message }
    default:
      return undefined
  }
}
