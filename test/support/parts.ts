import { createHasher } from '../../src/accounts/hasher.ts'
import { createPasswordPolicy } from '../../src/accounts/password-policy.ts'
import { StoreUnavailable } from '../../src/failure.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { createLog } from '../../src/log.ts'
import type { Parts } from '../../src/parts.ts'
import { createLiveCheck } from '../../src/store/live-check.ts'
import { createRevocationFeed } from '../../src/store/revocation-feed.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { createCheckedTokens } from '../../src/tokens/checked-tokens.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { testConfig } from './stack.ts'

/** What the runtime gives a request. */
export const executionContext = {
  waitUntil: () => undefined,
  passThroughOnException: () => undefined,
  props: {},
}

/** The parts of an app in this process, whose store and keys are not there; and what they log. */
export async function testParts(): Promise<{ readonly parts: Parts; readonly logged: readonly string[] }> {
  const config = testConfig()
  const { refreshMac, opaque, passwordSecret } = await deriveKeys(config.secret)
  const logged: string[] = []
  const store = createUpstashStore(config)
  const parts: Parts = {
    config,
    clock: systemClock,
    random: systemRandom,
    log: createLog((line) => logged.push(line), systemClock),
    logDigest: (value) => Promise.resolve(value),
    store,
    liveCheck: createLiveCheck({ store, clock: systemClock, cacheMs: 0, staleMs: 0 }),
    keyRing: { current: () => Promise.reject(new StoreUnavailable('no keys')), tend: () => Promise.resolve() },
    hasher: createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom }),
    passwordPolicy: createPasswordPolicy(config, ''),
    checkedTokens: createCheckedTokens(),
    macKeys: [refreshMac],
    opaqueKeys: [opaque],
    feed: createRevocationFeed({ store, clock: systemClock, ...config.store, windowMs: 360_000 }),
  }
  return { parts, logged }
}
