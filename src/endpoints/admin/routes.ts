/** What is below /v1/admin. */
import type { Hono, MiddlewareHandler } from 'hono'
import type { Env } from '../../http/context.ts'
import { problem } from '../../http/problem.ts'
import type { Parts } from '../../parts.ts'
import {
  changeAccountEndpoint,
  createAccountEndpoint,
  deleteAccountEndpoint,
  listAccountsEndpoint,
  readAccountEndpoint,
} from './accounts.ts'
import { auditEndpoint } from './audit.ts'
import { denyEndpoint } from './denials.ts'
import {
  endEveryoneEndpoint,
  endUserSessionEndpoint,
  endUserSessionsEndpoint,
  listUserSessionsEndpoint,
} from './sessions.ts'
import { endSubjectSessionsEndpoint, openSubjectSessionEndpoint } from './subject-sessions.ts'

const ACCOUNTS = '/v1/admin/accounts'
const ACCOUNT = `${ACCOUNTS}/:user_id`
const USER_SESSIONS = '/v1/admin/users/:user_id/sessions'
const USER_SESSION = `${USER_SESSIONS}/:sid`
const SESSIONS = '/v1/admin/sessions'
const SUBJECT_END = '/v1/admin/sessions/end'
const DENIALS = '/v1/admin/denials'
const AUDIT = '/v1/admin/audit'

const methods = {
  [ACCOUNTS]: 'GET, HEAD, POST',
  [ACCOUNT]: 'GET, HEAD, PATCH, DELETE',
  [USER_SESSIONS]: 'GET, HEAD, DELETE',
  [USER_SESSION]: 'DELETE',
  [SESSIONS]: 'POST, DELETE',
  [SUBJECT_END]: 'POST',
  [DENIALS]: 'POST',
  [AUDIT]: 'GET, HEAD',
}

/** @param limited bounds the length of a body */
export function addAdminRoutes(app: Hono<Env>, parts: Parts, limited: MiddlewareHandler<Env>): void {
  // By administrators.
  app.get(ACCOUNTS, listAccountsEndpoint(parts))
  app.post(ACCOUNTS, limited, createAccountEndpoint(parts))
  app.get(ACCOUNT, readAccountEndpoint(parts))
  app.patch(ACCOUNT, limited, changeAccountEndpoint(parts))
  app.delete(ACCOUNT, deleteAccountEndpoint(parts))
  app.get(USER_SESSIONS, listUserSessionsEndpoint(parts))
  app.delete(USER_SESSIONS, endUserSessionsEndpoint(parts))
  app.delete(USER_SESSION, endUserSessionEndpoint(parts))
  app.delete(SESSIONS, limited, endEveryoneEndpoint(parts))
  app.post(DENIALS, limited, denyEndpoint(parts))
  app.get(AUDIT, auditEndpoint(parts))
  // By services that authenticate people themselves.
  app.post(SESSIONS, limited, openSubjectSessionEndpoint(parts))
  app.post(SUBJECT_END, limited, endSubjectSessionsEndpoint(parts))
  for (const [path, allow] of Object.entries(methods))
    app.all(path, (c) => problem(c, { reason: 'method_not_allowed', allow }))
}
