import type { Config } from '../config.ts'
import type { Actor } from '../store/audit.ts'
import type { RequestContext } from './context.ts'

/** Who changes something by this request, for the audit trail. `by` is `user:<user id>` or `client:<client id>`. */
export function readActor(
  c: RequestContext,
  _config: Pick<Config, 'clientAddressHeader' | 'audit'>,
  by: string,
): Actor {
  return { by, from: '', requestId: c.get('requestId') }
}
