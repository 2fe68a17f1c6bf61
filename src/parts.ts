/** The composition root: the only place that picks adapters. Built once per isolate. */
// Made by the build: see `src/local/common-passwords.ts`.
import commonPasswords from '../.latchkey/common-passwords.txt'
import { argon2Wasm } from './accounts/argon2-wasm.ts'
import { createHasher, type Hasher } from './accounts/hasher.ts'
import { createPasswordPolicy, type PasswordPolicy } from './accounts/password-policy.ts'
import type { Config } from './config.ts'
import type { Assets } from './endpoints/page.ts'
import { createLog, createLogDigest, type Log } from './log.ts'
import { createLiveCheck, type LiveCheck } from './store/live-check.ts'
import { createRevocationFeed, type RevocationFeed } from './store/revocation-feed.ts'
import { feedWindowMs, type Store } from './store/store.ts'
import { createUpstashStore } from './store/upstash.ts'
import { systemRandom, type Clock, type Random } from './system.ts'
import { createCheckedTokens, type CheckedTokens } from './tokens/checked-tokens.ts'
import { ringTimes } from './tokens/key-changes.ts'
import { createKeyRing, type KeyRingSource } from './tokens/keyring.ts'
import type { OpaqueKeys } from './tokens/opaque.ts'
import type { MacKeys } from './tokens/refresh.ts'
import { deriveKeys } from './tokens/service-secret.ts'

export interface Parts {
  readonly config: Config
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** For what the log may not hold as it is. */
  readonly logDigest: (value: string) => Promise<string>
  readonly store: Store
  readonly liveCheck: LiveCheck
  readonly feed: RevocationFeed
  readonly keyRing: KeyRingSource
  readonly checkedTokens: CheckedTokens
  readonly hasher: Hasher
  readonly passwordPolicy: PasswordPolicy
  /** Of refresh tokens. */
  readonly macKeys: MacKeys
  readonly opaqueKeys: OpaqueKeys
  /** The page's files, where the page is turned on. */
  readonly assets?: Assets | undefined
}

export async function createParts(config: Config, clock: Clock, assets?: Assets): Promise<Parts> {
  const current = await deriveKeys(config.secret)
  const previous = config.previousSecret ? [await deriveKeys(config.previousSecret)] : []
  const log = createLog(console.log, clock)
  const store = createUpstashStore(config)
  return {
    config,
    clock,
    random: systemRandom,
    log,
    logDigest: createLogDigest(current.logMac),
    store,
    liveCheck: createLiveCheck({
      store,
      clock,
      cacheMs: config.checkCacheSeconds * 1000,
      staleMs: config.checkStaleSeconds * 1000,
    }),
    feed: createRevocationFeed({ store, clock, ...config.store, windowMs: feedWindowMs(config) }),
    keyRing: createKeyRing({
      store,
      seals: [current.keySeal, ...previous.map(({ keySeal }) => keySeal)],
      signingAlg: config.signingAlg,
      times: ringTimes(config),
      actor: { by: 'latchkey', from: '', requestId: '' },
      clock,
      log,
    }),
    checkedTokens: createCheckedTokens(),
    hasher: createHasher(argon2Wasm, {
      secrets: [current.passwordSecret, ...previous.map(({ passwordSecret }) => passwordSecret)],
      hashSeals: [current.hashSeal, ...previous.map(({ hashSeal }) => hashSeal)],
      random: systemRandom,
    }),
    passwordPolicy: createPasswordPolicy(config, commonPasswords),
    macKeys: [current.refreshMac, ...previous.map(({ refreshMac }) => refreshMac)],
    opaqueKeys: [current.opaque, ...previous.map(({ opaque }) => opaque)],
    assets,
  }
}
