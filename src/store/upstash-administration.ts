/** The administrator's part of the store on Upstash Redis. */
import { z } from 'zod'
import type { AccountQuery, Administration } from './administration.ts'
import { mergeTrails, readTrailPlaces, trailPiece } from './audit-pages.ts'
import { accountJson, writeAccount } from './schema.ts'
import { scripts } from './scripts.ts'
import { feedWindowMs, type Account } from './store.ts'
import { readReply, unreadable, type StoreConfig, type UpstashConnection } from './upstash-connection.ts'

const changeReply = z.union([
  z.tuple([z.literal('changed'), z.string()]).rest(z.string()),
  z.tuple([z.literal('absent')]),
])
const createReply = z.array(z.array(z.enum(['created', 'taken', 'present'])))
const deleteReply = z.union([z.tuple([z.literal('deleted')]).rest(z.string()), z.tuple([z.literal('absent')])])
const openReply = z.tuple([z.literal('opened'), z.string()]).rest(z.string())
const denyReply = z.enum(['denied', 'gone'])
const namesReply = z.array(z.array(z.string()))
const accountsReply = z.array(z.array(z.string().nullable()))
const trailsReply = z.array(trailPiece)

/** Sorts behind every character that a username can have. */
const LAST_CHARACTER = '\u{10ffff}'

export function administerUpstash(
  { keys, ask, script, trail }: UpstashConnection,
  config: StoreConfig,
): Administration {
  const idleMs = config.idleSeconds * 1000
  const absoluteMs = config.absoluteSeconds * 1000
  const feedMs = feedWindowMs(config)

  const changeAccount = script(scripts.changeAccount, changeReply)
  const deleteAccount = script(scripts.deleteAccount, deleteReply)
  const endOthers = script(scripts.endOthers, z.array(z.string()))
  const denyToken = script(scripts.denyToken, denyReply)
  // As the adapter's own: between two tries another sign-in may have ended the session.
  const openSession = script(scripts.openSession, openReply, { once: true })

  /** Of accounts of one bucket. */
  async function importKeys(accounts: readonly Account[]): Promise<string[]> {
    const [first] = accounts
    const ofEach = accounts.map(async ({ username, userId }) => [await keys.account(username), keys.username(userId)])
    return [
      ...(first ? [keys.usernames(first.userId), keys.trail(first.userId)] : []),
      ...(await Promise.all(ofEach)).flat(),
    ]
  }

  return {
    async changeAccount({ account: { userId, username }, status = '', roles, nowMs, actor }) {
      const [outcome, account, ...ended] = await changeAccount(
        [...keys.sessionKeys(userId), await keys.account(username), await keys.accountThrottle(username)],
        [userId, status, roles === undefined ? '' : `=${roles}`, nowMs, idleMs, feedMs, ...trail(actor, userId)],
      )
      return outcome === 'changed' ? { account: readReply(accountJson, account), ended } : undefined
    },

    async createAccounts({ accounts, actor }) {
      const groups = [...Map.groupBy(accounts, ({ userId }) => keys.usernames(userId)).values()]
      if (groups.length === 0) return []
      const keysOfGroups = await Promise.all(groups.map(importKeys))
      const outcomes = await ask(createReply, (redis) => {
        const pipeline = redis.pipeline()
        for (const [i, group] of groups.entries()) {
          const written = group.flatMap((account) => [writeAccount(account), account.username])
          pipeline.eval(scripts.importAccounts, keysOfGroups[i] ?? [], [...written, ...trail(actor, '').map(String)])
        }
        return pipeline.exec()
      })
      const made = new Map(groups.flatMap((group, i) => group.map((account, j) => [account, outcomes[i]?.[j]])))
      return accounts.map((account) => made.get(account) ?? unreadable())
    },

    async deleteAccount({ account: { userId, username }, nowMs, actor }) {
      const ofName = [await keys.account(username), await keys.accountThrottle(username)]
      const [outcome, ...ended] = await deleteAccount(
        [...keys.sessionKeys(userId), ...ofName, keys.username(userId), keys.usernames(userId)],
        [userId, username, nowMs, feedMs, ...trail(actor, userId)],
      )
      return outcome === 'deleted' ? { ended } : undefined
    },

    async listAccounts(query) {
      const { limit } = query
      const [from, to] = rangeOf(query)
      const perBucket = await ask(namesReply, (redis) => {
        const pipeline = redis.pipeline()
        // One more than asked for, to know whether there is more.
        const some = { byLex: true, offset: 0, count: limit + 1 } as const
        for (const one of keys.allUsernames) pipeline.zrange(one, from, to, some)
        return pipeline.exec()
      })
      const found = perBucket.flat().toSorted(compareCodePoints)
      const listed = new Set(found.slice(0, limit))
      const accounts = await readAccounts(perBucket.map((names) => names.filter((name) => listed.has(name))))
      const next = found.length > limit ? found[limit - 1] : undefined
      return next === undefined ? { accounts } : { accounts, next }
    },

    endAll: ({ userId, nowMs, actor }) =>
      endOthers(keys.sessionKeys(userId), ['', nowMs, idleMs, feedMs, ...trail(actor, userId)]),

    async endEveryone({ epoch, nowMs, actor }) {
      await ask(z.array(z.number()), (redis) => {
        const pipeline = redis.pipeline()
        for (const [bucket, one] of keys.epochs.entries()) {
          const keysUsed = [one, keys.feeds[bucket], bucket === 0 ? keys.trails[0] : undefined]
          const args = [epoch, nowMs, feedMs, ...trail(actor, '')].map(String)
          pipeline.eval(
            scripts.endEveryone,
            keysUsed.filter((key) => key !== undefined),
            args,
          )
        }
        return pipeline.exec()
      })
    },

    denyJti: ({ userId, jti, expMs, nowMs, actor }) =>
      denyToken(
        [...keys.sessionKeys(userId), keys.denial(userId, jti)],
        ['', '', jti, expMs, nowMs, feedMs, ...trail(actor, userId)],
      ),

    async openSubjectSession({ userId, subject, roles, amr, clientId, sid, familyDigest, device, nowMs, actor }) {
      const times = [nowMs, idleMs, nowMs + absoluteMs, config.sessionsPerUser, feedMs]
      const opened = [sid, familyDigest, clientId, '', '', ...times, device, subject, roles, amr]
      const [status, , ...superseded] = await openSession(keys.sessionKeys(userId), [
        ...opened,
        ...trail(actor, userId),
      ])
      const lastsUntilMs = nowMs + Math.min(idleMs, absoluteMs)
      return { status, grant: { clientId, roles, subject, amr, authAtMs: nowMs, lastsUntilMs }, superseded }
    },

    async readAudit({ userId, before, limit }) {
      const trails = userId === undefined ? keys.trails : [keys.trail(userId)]
      const places = readTrailPlaces(before, { trails, all: keys.trails, limit })
      const pieces = await ask(trailsReply, (redis) => {
        const pipeline = redis.pipeline()
        for (const { key, from, most, look } of places)
          pipeline.eval(scripts.readAudit, [key], [from, userId ?? '', String(most), String(look)])
        return pipeline.exec()
      })
      return mergeTrails(pieces, { buckets: places.map(({ bucket }) => bucket), limit })
    },
  }

  /** The accounts of usernames, given by bucket. One that cannot be read is left out, since it must not hide the others. */
  async function readAccounts(perBucket: readonly (readonly string[])[]): Promise<readonly Account[]> {
    const keysOf = await Promise.all(perBucket.map((names) => Promise.all(names.map((name) => keys.account(name)))))
    const asked = keysOf.filter(({ length }) => length > 0)
    if (asked.length === 0) return []
    const stored = await ask(accountsReply, (redis) => {
      const pipeline = redis.pipeline()
      for (const some of asked) pipeline.mget(...some)
      return pipeline.exec()
    })
    const read = stored.flat().map((one) => accountJson.safeParse(one))
    const accounts = read.flatMap(({ data }) => data ?? [])
    return accounts.toSorted((a, b) => compareCodePoints(a.username, b.username))
  }
}

/** The first and the last username to list, as ZRANGE BYLEX takes them. */
function rangeOf({ prefix = '', after }: AccountQuery): readonly [`[${string}` | `(${string}`, `[${string}`] {
  const isWithin = after !== undefined && compareCodePoints(after, prefix) > 0
  return [isWithin ? `(${after}` : `[${prefix}`, `[${prefix}${LAST_CHARACTER}`]
}

/** The order of the store, which is that of UTF-8's bytes. */
function compareCodePoints(a: string, b: string): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1)
}
