/** The store on Upstash Redis, over its REST protocol. */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { failed, ok, StoreUnavailable } from '../failure.ts'
import { createKeyNames } from './keys.ts'
import { createResilience } from './resilience.ts'
import { accountJson, FEED_PAGE_LIMIT, feedPage, findLive, listLive, writeAccount } from './schema.ts'
import { scripts } from './scripts.ts'
import { FEED_START, feedWindowMs, type Account, type SessionGrant, type Store } from './store.ts'
import { accountThrottle, addressThrottle, waitOf, type Throttle } from './throttle.ts'
import { createUpstashClient } from './upstash-client.ts'

type StoreConfig = Pick<
  Config,
  'store' | 'sessionsPerUser' | 'idleSeconds' | 'absoluteSeconds' | 'replayWindowSeconds' | 'accessTtlSeconds'
>

const openReply = z.union([
  z.tuple([z.literal('opened'), z.string()]).rest(z.string()),
  z.tuple([z.literal('changed')]),
  z.tuple([z.literal('wait'), z.coerce.number()]),
])
const rotateReply = z.union([
  z.tuple([z.enum(['rotated', 'replayed', 'recovered']), z.string(), z.string(), z.coerce.number(), z.coerce.number()]),
  z.tuple([z.enum(['reused', 'superseded', 'unknown', 'expired', 'foreign'])]),
])
const beginReply = z.tuple([
  z.tuple([z.string().nullable(), z.string().nullable()]),
  z.string().nullable().default(null),
])
const changeReply = z.union([
  z.tuple([z.literal('changed'), z.string()]).rest(z.string()),
  z.tuple([z.literal('absent')]),
])
const passwordReply = z.union([
  z.tuple([z.literal('changed')]).rest(z.string()),
  z.tuple([z.literal('wait'), z.coerce.number()]),
  z.tuple([z.enum(['gone', 'conflict'])]),
])
const endReply = z.tuple([z.enum(['ended', 'gone', 'foreign'])])
const denyReply = z.enum(['denied', 'gone', 'foreign'])
const createReply = z.enum(['created', 'taken', 'present'])
const checkReply = z.tuple([z.string().nullable(), z.string().nullable()])
const textReply = z.string()
const getReply = z.string().nullable()

export function createUpstashStore(config: StoreConfig): Store {
  const { timeoutMs, buckets, checkReads } = config.store
  const redis = createUpstashClient(config.store)
  const keys = createKeyNames(buckets)
  const guarded = createResilience(timeoutMs)
  const idleMs = config.idleSeconds * 1000
  const feedMs = feedWindowMs(config)
  const pageLimit = Math.ceil(FEED_PAGE_LIMIT / buckets)
  const page = feedPage(pageLimit)
  const sessionLimits = [config.sessionsPerUser, feedMs]

  /** Makes a script callable. */
  function script<T>(source: string, reply: z.ZodType<T>, demand?: { readonly once: boolean }) {
    const prepared = redis.createScript(source)
    return async (keysUsed: string[], args: readonly (string | number)[]) =>
      readReply(reply, await guarded(() => prepared.exec(keysUsed, args.map(String)), demand))
  }
  const changeAccount = script(scripts.changeAccount, changeReply)
  const changePassword = script(scripts.changePassword, passwordReply)
  // Between two tries another sign-in may have ended the session, and the second would open it again.
  const openSession = script(scripts.openSession, openReply, { once: true })
  const rotate = script(scripts.rotate, rotateReply)
  const endSession = script(scripts.endSession, endReply)
  const check = script(scripts.check, checkReply)
  const readFeed = script(scripts.readFeed, page)
  const endOthers = script(scripts.endOthers, z.array(z.string()))
  const denyToken = script(scripts.denyToken, denyReply)
  const createAccount = script(scripts.createAccount, createReply)
  const creationKeys = async ({ username, userId }: Account) => [await keys.account(username), keys.username(userId)]
  const replaceKeyRing = script(scripts.replaceKeyRing, textReply)

  return {
    async findAccount(username) {
      const key = await keys.account(username)
      const stored = readReply(getReply, await guarded(() => redis.get(key)))
      return stored === null ? undefined : readReply(accountJson, stored)
    },

    findUsername: async (userId) =>
      readReply(getReply, await guarded(() => redis.get(keys.username(userId)))) ?? undefined,

    async createAccount(account) {
      const outcome = await createAccount(await creationKeys(account), [writeAccount(account), account.username])
      return outcome === 'created' ? outcome : 'taken'
    },

    async createAccounts(accounts) {
      if (accounts.length === 0) return []
      const keysOfAll = await Promise.all(accounts.map(creationKeys))
      const pipeline = redis.pipeline()
      for (const [i, account] of accounts.entries())
        pipeline.eval(scripts.createAccount, keysOfAll[i] ?? [], [writeAccount(account), account.username])
      return readReply(z.array(createReply).length(accounts.length), await guarded(() => pipeline.exec()))
    },

    async beginLogin({ username, addressDigest, nowMs }) {
      const pipeline = redis.pipeline().mget(await keys.account(username), await keys.accountThrottle(username))
      if (addressDigest !== undefined) pipeline.get(keys.addressThrottle(addressDigest))
      const [[account, atAccount], fromAddress] = readReply(beginReply, await guarded(() => pipeline.exec()))
      return {
        account: account === null ? undefined : readReply(accountJson, account),
        waitMs: Math.max(waitOf(atAccount, nowMs), waitOf(fromAddress, nowMs)),
      }
    },

    async failLogin({ username, addressDigest, nowMs }) {
      const count = (keysUsed: string[], { firstDelayed, longestMs, forgetMs, lockedAfter = 0 }: Throttle) =>
        pipeline.eval(scripts.failLogin, keysUsed, [nowMs, firstDelayed, longestMs, forgetMs, lockedAfter].map(String))
      const pipeline = redis.pipeline()
      count([await keys.accountThrottle(username), await keys.account(username)], accountThrottle)
      if (addressDigest !== undefined) count([keys.addressThrottle(addressDigest)], addressThrottle)
      const waits = readReply(z.array(z.number()), await guarded(() => pipeline.exec()))
      return { waitMs: Math.max(...waits) }
    },

    async changeAccount({ account: { userId, username }, status = '', roles, nowMs }) {
      const ofName = [await keys.account(username), await keys.accountThrottle(username)]
      const [outcome, account, ...ended] = await changeAccount(
        [...ofName, keys.session(userId), keys.feed(userId)],
        [userId, status, roles === undefined ? '' : `=${roles}`, nowMs, idleMs, feedMs],
      )
      return outcome === 'changed' ? { account: readReply(accountJson, account), ended } : undefined
    },

    async changePassword({ account: { userId, username, hash }, newHash, sid, nowMs }) {
      const reply = await changePassword(
        [keys.session(userId), keys.feed(userId), await keys.account(username), await keys.accountThrottle(username)],
        [userId, sid, hash, newHash, nowMs, idleMs, feedMs],
      )
      if (reply[0] === 'wait') return { status: reply[0], waitMs: reply[1] }
      const [status, ...ended] = reply
      return status === 'changed' ? { status, ended } : { status }
    },

    async openSession({ account, newHash, clientId, sid, familyDigest, device, nowMs }) {
      const { userId, username, hash } = account
      const endsAtMs = nowMs + config.absoluteSeconds * 1000
      const reply = await openSession(
        [keys.session(userId), keys.feed(userId), await keys.account(username), await keys.accountThrottle(username)],
        [sid, familyDigest, clientId, hash, newHash ?? '', nowMs, idleMs, endsAtMs, ...sessionLimits, device],
      )
      if (reply[0] === 'wait') return { status: reply[0], waitMs: reply[1] }
      const [status, roles, ...superseded] = reply
      if (status === 'changed') return { status }
      const lastsUntilMs = nowMs + Math.min(idleMs, config.absoluteSeconds * 1000)
      return { status, grant: { clientId, roles: roles ?? '', authAtMs: nowMs, lastsUntilMs }, superseded }
    },

    async rotate({ userId, sid, generation, familyDigest, attemptDigest, clientIds, nowMs }) {
      const window = [config.replayWindowSeconds * 1000, idleMs, ...sessionLimits]
      const reply = await rotate(
        [keys.session(userId), keys.feed(userId)],
        [sid, generation, familyDigest, attemptDigest, clientIds.join(' '), nowMs, ...window],
      )
      if (reply.length === 1) return failed({ reason: reply[0] })
      const [how, clientId, roles, authAtMs, lastsUntilMs] = reply
      const grant: SessionGrant = { clientId, roles, authAtMs, lastsUntilMs }
      return ok({ how, grant })
    },

    async endSession({ userId, sid, familyDigest, clientId, accessToken, nowMs }) {
      const held = [sid, familyDigest ?? '', clientId ?? '']
      const denied = [accessToken?.jti ?? '', accessToken?.expMs ?? 0]
      const [status] = await endSession(
        [keys.session(userId), keys.feed(userId), ...(accessToken ? [keys.denial(userId, accessToken.jti)] : [])],
        [...held, nowMs, idleMs, feedMs, ...denied],
      )
      return status
    },

    listSessions: async ({ userId, nowMs }) =>
      listLive(readReply(getReply, await guarded(() => redis.get(keys.session(userId)))), { nowMs, idleMs }),

    endOthers: ({ userId, sid, nowMs }) =>
      endOthers([keys.session(userId), keys.feed(userId)], [sid, nowMs, idleMs, feedMs]),

    denyToken: ({ userId, sid, clientId, jti, expMs, nowMs }) =>
      denyToken(
        [keys.session(userId), keys.feed(userId), keys.denial(userId, jti)],
        [sid, clientId, jti, expMs, nowMs, feedMs],
      ),

    async check({ userId, sid, jti, nowMs }) {
      const both = [keys.session(userId), keys.denial(userId, jti)]
      const [record, denial] =
        checkReads === 'primary'
          ? await check(both, [])
          : readReply(checkReply, await guarded(() => redis.mget(...both)))
      return denial === null ? findLive(record, { sid, nowMs, idleMs }) : { status: 'denied' }
    },

    async readFeed(places) {
      const args = (bucket: number) => [places[bucket] ?? FEED_START, String(pageLimit)]
      const [feed, ...others] = keys.feeds
      if (feed !== undefined && others.length === 0) return [await readFeed([feed], args(0))]
      const pipeline = redis.pipeline()
      for (const [bucket, one] of keys.feeds.entries()) pipeline.eval(scripts.readFeed, [one], args(bucket))
      return readReply(z.array(page), await guarded(() => pipeline.exec()))
    },

    readKeyRing: async () => readReply(getReply, await guarded(() => redis.get(keys.keyRing))) ?? '',

    replaceKeyRing: ({ read, next, withdrawn }) =>
      replaceKeyRing([keys.keyRing, keys.keyFeed], [read, next, withdrawn?.kid ?? '', withdrawn?.nowMs ?? 0, feedMs]),
  }
}

/** Reads a reply. One of another shape is a store that makes no sense, not an answer. @throws {StoreUnavailable} */
function readReply<T>(shape: z.ZodType<T>, reply: unknown): T {
  const parsed = shape.safeParse(reply)
  if (parsed.success) return parsed.data
  throw new StoreUnavailable('unreadable reply')
}
