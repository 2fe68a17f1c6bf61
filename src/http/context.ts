import type { Context } from 'hono'
import type { Log } from '../log.ts'

/** What the app's middleware gives every handler. */
export interface Env {
  Variables: {
    requestId: string
    /** The log, with the request id on every event. */
    log: Log
  }
}

export type RequestContext = Context<Env>
