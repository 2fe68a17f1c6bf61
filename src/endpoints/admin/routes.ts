/** What is below /v1/admin. */
import type { Hono, MiddlewareHandler } from 'hono'
import type { Env } from '../../http/context.ts'
import { describe } from '../../http/operation.ts'
import type { Parts } from '../../parts.ts'
import {
  changeAccountEndpoint,
  changeAccountOperation,
  deleteAccountEndpoint,
  deleteAccountOperation,
  readAccountEndpoint,
  readAccountOperation,
} from './account.ts'
import { listAccountsEndpoint, listAccountsOperation, makeAccountEndpoint, makeAccountOperation } from './accounts.ts'
import { auditEndpoint, auditOperation } from './audit.ts'
import { denyEndpoint, denyOperation } from './denials.ts'
import {
  endEveryoneEndpoint,
  endEveryoneOperation,
  endUserSessionEndpoint,
  endUserSessionOperation,
  endUserSessionsEndpoint,
  endUserSessionsOperation,
  listUserSessionsEndpoint,
  listUserSessionsOperation,
} from './sessions.ts'
import {
  endSubjectSessionsEndpoint,
  endSubjectSessionsOperation,
  openSubjectSessionEndpoint,
  openSubjectSessionOperation,
} from './subject-sessions.ts'

const ACCOUNTS = '/v1/admin/accounts'
const ACCOUNT = `${ACCOUNTS}/:user_id`
const USER_SESSIONS = '/v1/admin/users/:user_id/sessions'
const SESSIONS = '/v1/admin/sessions'

/** @param limited bounds the length of a body */
export function addAdminRoutes(app: Hono<Env>, parts: Parts, limited: MiddlewareHandler<Env>): void {
  // For administrators.
  app.get(ACCOUNTS, describe(listAccountsOperation), listAccountsEndpoint(parts))
  app.post(ACCOUNTS, limited, describe(makeAccountOperation), makeAccountEndpoint(parts))
  app.get(ACCOUNT, describe(readAccountOperation), readAccountEndpoint(parts))
  app.patch(ACCOUNT, limited, describe(changeAccountOperation), changeAccountEndpoint(parts))
  app.delete(ACCOUNT, describe(deleteAccountOperation), deleteAccountEndpoint(parts))
  app.get(USER_SESSIONS, describe(listUserSessionsOperation), listUserSessionsEndpoint(parts))
  app.delete(USER_SESSIONS, describe(endUserSessionsOperation), endUserSessionsEndpoint(parts))
  app.delete(`${USER_SESSIONS}/:sid`, describe(endUserSessionOperation), endUserSessionEndpoint(parts))
  app.delete(SESSIONS, limited, describe(endEveryoneOperation), endEveryoneEndpoint(parts))
  app.post('/v1/admin/denials', limited, describe(denyOperation), denyEndpoint(parts))
  app.get('/v1/admin/audit', describe(auditOperation), auditEndpoint(parts))
  // For services that authenticate people themselves.
  app.post(SESSIONS, limited, describe(openSubjectSessionOperation), openSubjectSessionEndpoint(parts))
  app.post(`${SESSIONS}/end`, limited, describe(endSubjectSessionsOperation), endSubjectSessionsEndpoint(parts))
}
