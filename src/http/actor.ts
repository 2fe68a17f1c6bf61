import type { Config } from '../config.ts'
import type { Actor } from '../store/audit.ts'
import { readAuditAddress } from './client-address.ts'
import type { RequestContext } from './context.ts'

/** Who changes something by this request, for the audit trail. `by` is `user:<user id>` or `client:<client id>`. */
export function readActor(c: RequestContext, config: Pick<Config, 'clientAddressHeader' | 'audit'>, by: string): Actor {
  return { by, from: readAuditAddress(c, config), requestId: c.get('requestId') }
}
