/** The store on Upstash Redis, over its REST protocol. */
import { z } from 'zod'
import { failed, ok } from '../failure.ts'
import { listLive } from './record.ts'
import { accountJson, FEED_PAGE_LIMIT, feedPage, writeAccount } from './schema.ts'
import { scripts } from './scripts.ts'
import { createSharedCheck } from './shared-check.ts'
import { FEED_START, feedWindowMs, type SessionGrant, type Store } from './store.ts'
import { accountThrottle, addressThrottle, waitOf, type Throttle } from './throttle.ts'
import { administerUpstash } from './upstash-administration.ts'
import { createUpstashConnection, readReply, type StoreConfig } from './upstash-connection.ts'

const HOUR_MS = 3_600_000

const openReply = z.union([
  z.tuple([z.literal('opened'), z.string()]).rest(z.string()),
  z.tuple([z.literal('changed')]),
  z.tuple([z.literal('wait'), z.coerce.number()]),
])
const rotateReply = z.union([
  z.tuple([
    z.enum(['rotated', 'replayed', 'recovered']),
    ...([z.string(), z.string(), z.coerce.number(), z.coerce.number(), z.string(), z.string()] as const),
  ]),
  z.tuple([z.enum(['reused', 'superseded', 'unknown', 'expired', 'foreign'])]),
  z.tuple([z.literal('wait'), z.coerce.number()]),
])
const beginReply = z.tuple([
  z.tuple([z.string().nullable(), z.string().nullable()]),
  z.string().nullable().default(null),
])
const passwordReply = z.union([
  z.tuple([z.literal('changed')]).rest(z.string()),
  z.tuple([z.literal('wait'), z.coerce.number()]),
  z.tuple([z.enum(['gone', 'conflict'])]),
])
const endReply = z.tuple([z.enum(['ended', 'gone', 'foreign'])])
const denyReply = z.enum(['denied', 'gone', 'foreign'])
const createReply = z.enum(['created', 'taken'])
const manyReply = z.array(z.string().nullable())
const listReply = z.tuple([z.string().nullable(), z.string().nullable()])
const getReply = z.string().nullable()

export function createUpstashStore(config: StoreConfig): Store {
  const { buckets, checkReads, timeoutMs } = config.store
  const connection = createUpstashConnection(config)
  const { keys, ask, script, trail } = connection
  const idleMs = config.idleSeconds * 1000
  const absoluteMs = config.absoluteSeconds * 1000
  const feedMs = feedWindowMs(config)
  const pageLimit = Math.ceil(FEED_PAGE_LIMIT / buckets)
  const page = feedPage(pageLimit)
  const sessionLimits = [config.sessionsPerUser, feedMs]
  const { refreshesPerMinute } = config
  const paceMs = refreshesPerMinute === 0 ? 0 : Math.round(60_000 / refreshesPerMinute)

  const admit = script(scripts.admit, z.number())
  const changePassword = script(scripts.changePassword, passwordReply)
  // Between two tries another sign-in may have ended the session, and the second would open it again.
  const openSession = script(scripts.openSession, openReply, { once: true })
  const rotate = script(scripts.rotate, rotateReply)
  const endSession = script(scripts.endSession, endReply)
  const check = script(scripts.check, manyReply)
  const readFeed = script(scripts.readFeed, page)
  const endOthers = script(scripts.endOthers, z.array(z.string()))
  const denyToken = script(scripts.denyToken, denyReply)
  const createAccount = script(scripts.createAccount, createReply)
  const replaceKeyRing = script(scripts.replaceKeyRing, z.string())

  const readMany = (names: string[], withinMs: number) =>
    checkReads === 'primary' ? check(names, [], withinMs) : ask(manyReply, (redis) => redis.mget(...names), withinMs)

  return {
    ...administerUpstash(connection, config),

    async findAccount(username) {
      const key = await keys.account(username)
      const stored = await ask(getReply, (redis) => redis.get(key))
      return stored === null ? undefined : readReply(accountJson, stored)
    },

    findUsername: async (userId) => (await ask(getReply, (redis) => redis.get(keys.username(userId)))) ?? undefined,

    async admitRegistration({ addressDigest, nowMs }) {
      const perHour = config.registrationsPerHour
      if (perHour === 0) return { waitMs: 0 }
      const everyMs = Math.ceil(HOUR_MS / perHour)
      return {
        waitMs: await admit([keys.registrationThrottle(addressDigest)], [nowMs, everyMs, perHour * everyMs]),
      }
    },

    createAccount: async ({ account, actor }) => {
      const { userId, username } = account
      return createAccount(
        [await keys.account(username), keys.username(userId), keys.usernames(userId), keys.trail(userId)],
        [writeAccount(account), username, ...trail(actor, userId)],
      )
    },

    async beginLogin({ username, addressDigest, nowMs }) {
      const ofName = [await keys.account(username), await keys.accountThrottle(username)]
      const [[account, atAccount], fromAddress] = await ask(beginReply, (redis) => {
        const pipeline = redis.pipeline().mget(...ofName)
        if (addressDigest !== undefined) pipeline.get(keys.addressThrottle(addressDigest))
        return pipeline.exec()
      })
      return {
        account: account === null ? undefined : readReply(accountJson, account),
        waitMs: Math.max(waitOf(atAccount, nowMs), waitOf(fromAddress, nowMs)),
      }
    },

    async failLogin({ username, addressDigest, nowMs, actor }) {
      const ofName = [
        await keys.accountThrottle(username),
        await keys.account(username),
        await keys.accountTrail(username),
      ]
      const args = ({ firstDelayed, longestMs, forgetMs, lockedAfter = 0 }: Throttle) =>
        [nowMs, firstDelayed, longestMs, forgetMs, lockedAfter, ...trail(actor, '')].map(String)
      const waits = await ask(z.array(z.number()), (redis) => {
        const pipeline = redis.pipeline().eval(scripts.failLogin, ofName, args(accountThrottle))
        if (addressDigest !== undefined)
          pipeline.eval(scripts.failLogin, [keys.addressThrottle(addressDigest)], args(addressThrottle))
        return pipeline.exec()
      })
      return { waitMs: Math.max(...waits) }
    },

    async changePassword({ account: { userId, username, hash }, newHash, sid, nowMs, actor }) {
      const reply = await changePassword(
        [...keys.sessionKeys(userId), await keys.account(username), await keys.accountThrottle(username)],
        [userId, sid, hash, newHash, nowMs, idleMs, feedMs, ...trail(actor, userId)],
      )
      if (reply[0] === 'wait') return { status: reply[0], waitMs: reply[1] }
      const [status, ...ended] = reply
      return status === 'changed' ? { status, ended } : { status }
    },

    async openSession({ account, newHash, clientId, sid, familyDigest, device, nowMs, actor }) {
      const { userId, username, hash } = account
      const times = [nowMs, idleMs, nowMs + absoluteMs, ...sessionLimits]
      const reply = await openSession(
        [...keys.sessionKeys(userId), await keys.account(username), await keys.accountThrottle(username)],
        [sid, familyDigest, clientId, hash, newHash ?? '', ...times, device, '', '', '', ...trail(actor, userId)],
      )
      if (reply[0] === 'wait') return { status: reply[0], waitMs: reply[1] }
      const [status, roles, ...superseded] = reply
      if (status === 'changed') return { status }
      const lastsUntilMs = nowMs + Math.min(idleMs, absoluteMs)
      return { status, grant: { clientId, roles: roles ?? '', amr: '', authAtMs: nowMs, lastsUntilMs }, superseded }
    },

    async rotate({ userId, sid, generation, familyDigest, attemptDigest, clientIds, nowMs, actor }) {
      const window = [config.replayWindowSeconds * 1000, idleMs, ...sessionLimits, paceMs]
      const held = [sid, generation, familyDigest, attemptDigest, clientIds.join(' ')]
      const reply = await rotate(keys.sessionKeys(userId), [...held, nowMs, ...window, ...trail(actor, userId)])
      if (reply.length === 1) return failed({ reason: reply[0] })
      if (reply.length === 2)
        return failed({ reason: 'too_many_attempts', retryAfterSeconds: Math.ceil(reply[1] / 1000) })
      const [how, clientId, roles, authAtMs, lastsUntilMs, subject, amr] = reply
      const grant: SessionGrant = {
        clientId,
        roles,
        subject: subject === '' ? undefined : subject,
        amr,
        authAtMs,
        lastsUntilMs,
      }
      return ok({ how, grant })
    },

    async endSession({ userId, sid, familyDigest, clientId, accessToken, nowMs, actor }) {
      const held = [sid, familyDigest ?? '', clientId ?? '']
      const denied = [accessToken?.jti ?? '', accessToken?.expMs ?? 0]
      const [status] = await endSession(
        [...keys.sessionKeys(userId), ...(accessToken ? [keys.denial(userId, accessToken.jti)] : [])],
        [...held, nowMs, idleMs, feedMs, ...denied, ...trail(actor, userId)],
      )
      return status
    },

    async listSessions({ userId, nowMs }) {
      const both = [keys.session(userId), keys.epoch(userId)]
      const [record, epoch] = await ask(listReply, (redis) => redis.mget(...both))
      return listLive({ record, epoch }, { nowMs, idleMs })
    },

    endOthers: ({ userId, sid, nowMs, actor }) =>
      endOthers(keys.sessionKeys(userId), [sid, nowMs, idleMs, feedMs, ...trail(actor, userId)]),

    denyToken: ({ userId, sid, clientId, jti, expMs, nowMs, actor }) =>
      denyToken(
        [...keys.sessionKeys(userId), keys.denial(userId, jti)],
        [sid, clientId, jti, expMs, nowMs, feedMs, ...trail(actor, userId)],
      ),

    check: createSharedCheck({ keys, readMany, idleMs, timeoutMs }),

    async readFeed(places) {
      const args = (bucket: number) => [places[bucket] ?? FEED_START, String(pageLimit)]
      const [feed, ...others] = keys.feeds
      if (feed !== undefined && others.length === 0) return [await readFeed([feed], args(0))]
      return ask(z.array(page), (redis) => {
        const pipeline = redis.pipeline()
        for (const [bucket, one] of keys.feeds.entries()) pipeline.eval(scripts.readFeed, [one], args(bucket))
        return pipeline.exec()
      })
    },

    readKeyRing: async () => (await ask(getReply, (redis) => redis.get(keys.keyRing))) ?? '',

    replaceKeyRing: ({ read, next, added, withdrawn, actor }) =>
      replaceKeyRing(
        [keys.keyRing, keys.keyFeed, keys.keyTrail],
        [read, next, withdrawn?.kid ?? '', withdrawn?.nowMs ?? 0, feedMs, added ?? '', ...trail(actor, '')],
      ),
  }
}
