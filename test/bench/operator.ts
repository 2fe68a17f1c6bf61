/** Makes accounts, sessions and tokens by Latchkey's own code, past its servers: what a round uses up costs no password hash. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { createHasher } from '../../src/accounts/hasher.ts'
import { parseConfig, type Config } from '../../src/config.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { createLog } from '../../src/log.ts'
import { mintUserId } from '../../src/store/keys.ts'
import { FEED_START, type Account } from '../../src/store/store.ts'
import type { Actor } from '../../src/store/audit.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { ringTimes } from '../../src/tokens/key-changes.ts'
import { createKeyRing, type KeyRing } from '../../src/tokens/keyring.ts'
import { beginFamily, familyDigest, type RefreshToken } from '../../src/tokens/refresh.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { issueTokens, type SessionTokens } from '../../src/tokens/session-tokens.ts'
import type { Web } from './web.ts'

export const password = 'correct horse battery staple'
export const clientId = 'app'
const actor: Actor = { by: 'operator', from: '', requestId: '' }

/** Makes what the rounds use up. */
export interface Supplier<A extends { readonly username: string }> {
  /** Accounts with {@link password}. */
  createAccounts(count: number): Promise<A[]>
  /** Opens a session, which ends the account's earlier one. */
  signIn(account: A): Promise<Pick<SessionTokens, 'accessToken' | 'refreshToken'>>
}

export interface Operator extends Supplier<Account> {
  readonly config: Config
  /** Opens a session, which ends the account's earlier one. */
  signIn(account: Account): Promise<SessionTokens>
  /** Opens a session of one's own making. */
  open(account: Account, family: RefreshToken): Promise<void>
  /** Reads on in the revocation feed, as a server does. */
  readFeed(): Promise<void>
  /** Tokens of a session that may be in the store or not, as they are issued at a refresh. */
  issue(session: RefreshToken): Promise<SessionTokens>
  ring(): Promise<KeyRing>
}

/** @param env a server's variables */
export async function createOperator(env: Readonly<Record<string, string>>): Promise<Operator> {
  const parsed = parseConfig(env)
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'))
  const config = parsed.value
  const store = createUpstashStore(config)
  const { keySeal, passwordSecret, refreshMac, opaque } = await deriveKeys(config.secret)
  const clock = systemClock
  const log = createLog(() => undefined, clock)
  const times = ringTimes(config)
  const source = createKeyRing({ store, seals: [keySeal], signingAlg: config.signingAlg, times, clock, log, actor })
  const parts = { config, macKeys: [refreshMac], opaqueKeys: [opaque], random: systemRandom } as const
  const hashed = await createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom }).hash(password)
  if (!hashed.ok) throw new Error('The password was not hashed.')
  const hash = hashed.value

  // Read once now: thousands of tokens may be asked for at a time.
  await source.current()
  let places: string[] = []

  async function createAccount(): Promise<Account> {
    const username = `bench-${randomUUID()}`
    const userId = await mintUserId(systemRandom, username, config.store.buckets)
    const account: Account = { userId, username, hash, status: 'active', roles: '', createdAtMs: clock.nowMs() }
    await store.createAccount({ account, actor })
    return account
  }

  async function issue(refreshToken: RefreshToken): Promise<SessionTokens> {
    const nowMs = clock.nowMs()
    const lastsUntilMs = nowMs + config.idleSeconds * 1000
    const grant = { clientId, roles: '', amr: '', authAtMs: nowMs, lastsUntilMs }
    return issueTokens(parts, { ring: await source.current(), grant, refreshToken, nowMs })
  }

  async function open(account: Account, family: RefreshToken): Promise<void> {
    const opening = { sid: family.sid, familyDigest: await familyDigest(family), device: 'Firefox on Linux' }
    const opened = await store.openSession({ account, clientId, ...opening, nowMs: clock.nowMs(), actor })
    if (opened.status !== 'opened') throw new Error(`A session was not opened: ${opened.status}`)
  }

  return {
    config,
    createAccounts: (count) => Promise.all(Array.from({ length: count }, createAccount)),
    async signIn(account) {
      const family = beginFamily(systemRandom, account.userId)
      await open(account, family)
      return issue(family)
    },
    open,
    async readFeed() {
      const pages = await store.readFeed(places)
      places = pages.map(({ entries }, bucket) => entries.at(-1)?.place ?? places[bucket] ?? FEED_START)
    },
    issue,
    ring: () => source.current(),
  }
}

const tokens = z.object({ access_token: z.string(), refresh_token: z.string() })

/** Makes them by the interface of a service alone, whatever it keeps in its store. Each account and each session costs a password hash. */
export function supplyFrom(web: Web): Supplier<{ readonly username: string }> {
  const createAccount = async () => {
    const username = `bench-${randomUUID()}`
    await web.postJson({ path: '/v1/accounts', status: 201 }, { username, password })
    return { username }
  }
  const signIn = async (username: string) => {
    const answer = await web.postJson({ path: '/v1/login' }, { username, password, client_id: clientId })
    const { access_token: accessToken, refresh_token: refreshToken } = tokens.parse(JSON.parse(answer.body))
    return { accessToken, refreshToken }
  }
  /** One after the other: a process takes in a few at a time, and sends the others away. */
  let last: Promise<unknown> = Promise.resolve()
  return {
    async createAccounts(count) {
      const accounts: { username: string }[] = []
      while (accounts.length < count) accounts.push(await createAccount())
      return accounts
    },
    async signIn({ username }) {
      const mine = last.then(() => signIn(username))
      last = mine.catch(() => undefined)
      return mine
    },
  }
}
