import { describe, expect, it } from 'vitest'
import { createHasher } from '../../src/accounts/hasher.ts'
import { createPasswordPolicy } from '../../src/accounts/password-policy.ts'
import { createApp } from '../../src/app.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { createLog } from '../../src/log.ts'
import { createLiveCheck } from '../../src/store/live-check.ts'
import { createRevocationFeed } from '../../src/store/revocation-feed.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { createCheckedTokens } from '../../src/tokens/checked-tokens.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { testConfig } from '../support/stack.ts'

describe('an unknown failure', () => {
  it('is a bare 500 with the request id when it is a mistake of ours', async () => {
    const config = testConfig()
    const { refreshMac, opaque, passwordSecret } = await deriveKeys(config.secret)
    const logged: string[] = []
    const store = createUpstashStore(config)
    const app = createApp({
      config,
      clock: systemClock,
      random: systemRandom,
      log: createLog((line) => logged.push(line), systemClock),
      logDigest: (value) => Promise.resolve(value),
      store,
      liveCheck: createLiveCheck({ store, clock: systemClock, cacheMs: 0, staleMs: 0 }),
      keyRing: {
        current: () => {
          throw new TypeError('planted-detail')
        },
        tend: () => Promise.resolve(),
      },
      hasher: createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom }),
      passwordPolicy: createPasswordPolicy(config, ''),
      checkedTokens: createCheckedTokens(),
      macKeys: [refreshMac],
      opaqueKeys: [opaque],
      feed: createRevocationFeed({ store, clock: systemClock, ...config.store, windowMs: 360_000 }),
    })

    const answer = await app.request('/.well-known/jwks.json')
    const requestId = answer.headers.get('X-Request-Id')
    expect(answer.status).toBe(500)
    expect(await answer.json()).toEqual({
      type: 'about:blank',
      status: 500,
      code: 'internal',
      title: 'Something went wrong. The request id names it in the log.',
      request_id: requestId,
    })
    expect(logged).toHaveLength(1)
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({
      event: 'request.failed',
      request_id: requestId,
      detail: 'TypeError',
      at: expect.stringMatching(/^at /),
    })
    expect(logged[0]).not.toContain('planted')
  })
})
