/** Events as JSON, one line each: who did what to which session, and nothing that anybody could use. Row L1, L2. */
import { base64url } from 'jose'
import type { Clock } from './system.ts'

/** What happened. `warn` is worth a look, `error` worth waking somebody. */
const levels = {
  'account.created': 'info',
  'account.enabled': 'info',
  'account.disabled': 'info',
  'account.roles_set': 'info',
  'account.deleted': 'info',
  'admin.refused': 'warn',
  'registration.throttled': 'warn',
  'login.succeeded': 'info',
  'login.failed': 'warn',
  'login.throttled': 'warn',
  'session.opened': 'info',
  'session.superseded': 'info',
  'session.ended': 'info',
  'everyone.ended': 'warn',
  'password.changed': 'info',
  'password.change_failed': 'warn',
  'password.lookup_failed': 'warn',
  'refresh.rotated': 'info',
  'refresh.replayed': 'info',
  'refresh.recovered': 'error',
  'refresh.reused': 'error',
  'refresh.refused': 'warn',
  logout: 'info',
  'token.revoked': 'info',
  'token.denied': 'info',
  'client.refused': 'warn',
  'check.stale': 'warn',
  'key.added': 'info',
  'key.restored': 'error',
  'store.unavailable': 'error',
  'config.refused': 'error',
  'request.failed': 'error',
} as const

export type EventName = keyof typeof levels

/** Wire names. Never a token, a password, a secret or the text of somebody else's error. */
export type EventFields = Readonly<Record<string, string | number | undefined>>

export interface Log {
  event(name: EventName, fields: EventFields): void
  /** The same log with fields that every event then carries. */
  with(fields: EventFields): Log
}

/** JSON.stringify escapes line breaks, so a field never becomes a line of its own. */
export function createLog(write: (line: string) => void, clock: Clock): Log {
  const log: Log = {
    event(name, fields) {
      const time = new Date(clock.nowMs()).toISOString()
      write(JSON.stringify({ time, level: levels[name], event: name, ...fields }))
    },
    with: (fields) => narrow(log, fields),
  }
  return log
}

/** Every request makes one, and few of them have an event: nothing is copied before there is one. */
function narrow(log: Log, common: EventFields): Log {
  const narrowed: Log = {
    event: (name, fields) => log.event(name, { ...common, ...fields }),
    with: (fields) => narrow(narrowed, fields),
  }
  return narrowed
}

/** Makes the digest of a value that a log may not hold: the same for the same value, and of no use without the key. */
export function createLogDigest(logMac: CryptoKey): (value: string) => Promise<string> {
  return async (value) => {
    const mac = await crypto.subtle.sign('HMAC', logMac, new TextEncoder().encode(value))
    return base64url.encode(new Uint8Array(mac).subarray(0, 16))
  }
}
