/** The store on Upstash Redis, over its REST protocol. */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { failed, ok, StoreUnavailable } from '../failure.ts'
import { createKeyNames } from './keys.ts'
import { createResilience } from './resilience.ts'
import { accountJson, FEED_PAGE_LIMIT, feedPage, findLive, writeAccount } from './schema.ts'
import { scripts } from './scripts.ts'
import { FEED_LEEWAY_SECONDS, FEED_START, type SessionGrant, type Store } from './store.ts'
import { createUpstashClient } from './upstash-client.ts'

type StoreConfig = Pick<
  Config,
  'store' | 'sessionsPerUser' | 'idleSeconds' | 'absoluteSeconds' | 'replayWindowSeconds' | 'accessTtlSeconds'
>

const openReply = z.union([
  z.tuple([z.literal('opened'), z.string()]).rest(z.string()),
  z.tuple([z.literal('changed')]),
])
const rotateReply = z.union([
  z.tuple([z.enum(['rotated', 'replayed', 'recovered']), z.string(), z.string(), z.coerce.number(), z.coerce.number()]),
  z.tuple([z.enum(['reused', 'superseded', 'unknown', 'expired', 'foreign'])]),
])
const endReply = z.tuple([z.enum(['ended', 'gone', 'foreign'])])
const denyReply = z.enum(['denied', 'gone'])
const feedReply = z.array(feedPage)
const createReply = z.enum(['created', 'taken'])
const checkReply = z.tuple([z.string().nullable(), z.string().nullable()])
const textReply = z.string()
const getReply = z.string().nullable()

export function createUpstashStore(config: StoreConfig): Store {
  const { timeoutMs, buckets, checkReads } = config.store
  const redis = createUpstashClient(config.store)
  const keys = createKeyNames(buckets)
  const guarded = createResilience(timeoutMs)
  const idleMs = config.idleSeconds * 1000
  const accessMs = config.accessTtlSeconds * 1000
  const feedMs = accessMs + FEED_LEEWAY_SECONDS * 1000
  const sessionLimits = [config.sessionsPerUser, accessMs, feedMs]

  /** Makes a script callable. */
  function script<T>(source: string, reply: z.ZodType<T>) {
    const prepared = redis.createScript(source)
    return async (keysUsed: string[], args: readonly (string | number)[]) =>
      readReply(reply, await guarded(() => prepared.exec(keysUsed, args.map(String))))
  }
  const openSession = script(scripts.openSession, openReply)
  const rotate = script(scripts.rotate, rotateReply)
  const endSession = script(scripts.endSession, endReply)
  const check = script(scripts.check, checkReply)
  const denyToken = script(scripts.denyToken, denyReply)
  const createAccount = script(scripts.createAccount, createReply)
  const replaceKeyRing = script(scripts.replaceKeyRing, textReply)

  return {
    async findAccount(username) {
      const key = await keys.account(username)
      const stored = readReply(getReply, await guarded(() => redis.get(key)))
      return stored === null ? undefined : readReply(accountJson, stored)
    },

    createAccount: async (account) => createAccount([await keys.account(account.username)], [writeAccount(account)]),

    async openSession({ account, newHash, clientId, sid, familyDigest, nowMs }) {
      const { userId, username, hash } = account
      const endsAtMs = nowMs + config.absoluteSeconds * 1000
      const [status, roles, ...superseded] = await openSession(
        [keys.session(userId), keys.feed(userId), await keys.account(username)],
        [sid, familyDigest, clientId, hash, newHash ?? '', nowMs, idleMs, endsAtMs, ...sessionLimits],
      )
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
        [...held, nowMs, idleMs, accessMs, feedMs, ...denied],
      )
      return status
    },

    denyToken: ({ userId, jti, expMs, nowMs }) =>
      denyToken([keys.denial(userId, jti), keys.feed(userId)], [jti, expMs, nowMs, feedMs]),

    async check({ userId, sid, jti, nowMs }) {
      const both = [keys.session(userId), keys.denial(userId, jti)]
      const [record, denial] =
        checkReads === 'primary'
          ? await check(both, [])
          : readReply(checkReply, await guarded(() => redis.mget(...both)))
      return denial === null ? findLive(record, { sid, nowMs, idleMs }) : { status: 'denied' }
    },

    async readFeed(places) {
      const pipeline = redis.pipeline()
      for (const [bucket, feed] of keys.feeds.entries())
        pipeline.eval(scripts.readFeed, [feed], [places[bucket] ?? FEED_START, String(FEED_PAGE_LIMIT)])
      return readReply(feedReply, await guarded(() => pipeline.exec()))
    },

    readKeyRing: async () => readReply(getReply, await guarded(() => redis.get(keys.keyRing))) ?? '',

    replaceKeyRing: ({ read, next, withdrawn }) =>
      replaceKeyRing(
        [keys.keyRing, keys.keyFeed],
        [read, next, withdrawn?.kid ?? '', (withdrawn?.nowMs ?? 0) + accessMs, feedMs],
      ),
  }
}

/** Reads a reply. One of another shape is a store that makes no sense, not an answer. @throws {StoreUnavailable} */
function readReply<T>(shape: z.ZodType<T>, reply: unknown): T {
  const parsed = shape.safeParse(reply)
  if (parsed.success) return parsed.data
  throw new StoreUnavailable('unreadable reply')
}
