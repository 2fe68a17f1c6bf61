/**
 * What must hold in every state and in every step; each answers with the promise that was broken, if one was.
 *
 * What has ended has ended from the store's answer on: sooner than from the moment at which the caller hears it.
 */
import { isGranted, type Shown } from './landing.ts'
import type { Effect, Sid } from './real-store.ts'
import { IDLE_MS, WINDOW_MS, type World } from './world.ts'

/** A state, by what the real live check says of each session's access token. */
export function brokenByState({ facts, feed, nowMs }: World, checked: ReadonlyMap<Sid, string>): string | undefined {
  const live = [...checked].flatMap(([sid, status]) => (status === 'live' ? [sid] : []))
  if (live.length > 1) return `one live session per user: ${live.join(' and ')} are live`
  for (const sid of live) {
    if (facts.ended.includes(sid)) return `what has ended is never accepted again: the live check accepts ${sid}`
    if (!facts.opened.includes(sid))
      return `nothing is accepted on absence: the live check accepts ${sid}, never opened`
  }
  if (facts.lost !== 'nothing') return undefined
  for (const sid of live) if (feed.includes(sid)) return `what lives is not announced as ended: ${sid} is`
  for (const sid of facts.opened) {
    const hasEnded = checked.get(sid) !== 'live' && !isIdle(sid, { facts, nowMs })
    if (hasEnded && !feed.includes(sid)) return `what has ended stands in the feed: ${sid} does not`
  }
  return undefined
}

/** A call that the store has answered. */
export function brokenByAnswer(
  before: World,
  { token, attempt, nowMs, errand, isForeign }: Shown,
  effect: Effect,
): string | undefined {
  const { facts, stored } = before
  const { sid, generation } = token
  const { answer } = effect
  if (answer === 'opened' && !stored.hasAccount && !holds(stored.record, sid))
    return 'no token is issued on absence: a sign-in without an account'
  if (isForeign && (isGranted(answer) || effect.stored.record !== stored.record))
    return 'a token is of use to its own client only'
  if (errand === 'login') {
    if (answer === 'opened' && facts.ended.includes(sid))
      return `what has ended is never accepted again: ${sid} is opened`
    return undefined
  }
  if (errand !== 'refresh' || !isGranted(answer)) return undefined
  if (!holds(stored.record, sid)) return `no token is issued on absence: ${sid} is not in the record`
  if (facts.ended.includes(sid)) return `what has ended is never accepted again: ${sid} is refreshed`
  if (isIdle(sid, { facts, nowMs })) return `no token is issued after the expiry of ${sid}`
  if (facts.lost !== 'nothing') return undefined
  if (facts.spent[sid + (generation + 1)])
    return `a refresh answers with the newest token: not with ${sid}${generation + 1}`
  const spent = facts.spent[sid + generation]
  const isSecondUse = spent && spent.attempt !== attempt && Math.abs(nowMs - spent.atMs) > WINDOW_MS
  if (isSecondUse) return `a token is good for one exchange: ${sid}${generation} is exchanged twice`
  return undefined
}

/** An answer that was heard. */
export function brokenByHearing(before: World, after: World): string | undefined {
  return brokenByRefusal(before, after) ?? brokenByJar(before, after)
}

/** What a jar holds is replaced by something newer only: the older would be refused or, in the end, be reuse. */
function brokenByJar(before: World, after: World): string | undefined {
  const { opened } = before.facts
  for (const [jar, held] of before.jars.entries()) {
    const next = after.jars[jar]
    if (!held || !next) continue
    const isOlder =
      held.sid === next.sid ? next.generation < held.generation : opened.indexOf(next.sid) < opened.indexOf(held.sid)
    if (isOlder) return `a jar never goes back: from ${held.sid}${held.generation} to ${next.sid}${next.generation}`
  }
  return undefined
}

/**
 * A refusal that a caller who followed the rules has heard, and that is not somebody's deed: the user's (a logout, a newer
 * sign-in, a week away), a thief's, or a loss of the whole record.
 */
function brokenByRefusal(before: World, after: World): string | undefined {
  for (const [place, { phase, name }] of after.callers.entries()) {
    const heard = before.callers[place]
    if (phase !== 'out' || !heard || heard.phase === 'out') continue
    if (!isExcused(before, heard)) return `who follows the rules stays signed in: ${name} hears ${heard.answer}`
  }
  return undefined
}

function isExcused({ facts, nowMs, stored }: World, { token, answer }: World['callers'][number]): boolean {
  if (!token) return false
  const { sid } = token
  const isOlder = facts.opened.includes(sid) && facts.opened.at(-1) !== sid
  const isAway = isIdle(sid, { facts, nowMs })
  switch (answer) {
    case 'reused':
      return facts.robbed.includes(sid)
    case 'superseded':
      return isOlder
    case 'expired':
      return isAway
    case 'unknown':
      return isOlder || isAway || facts.left.includes(sid) || facts.lost === 'record'
    case 'changed':
      return !stored.hasAccount
    default:
      return false
  }
}

/** Within a second: with less there is nothing to hand out. */
function isIdle(sid: Sid, { facts, nowMs }: Pick<World, 'facts' | 'nowMs'>): boolean {
  return nowMs - (facts.usedMs[sid] ?? 0) > IDLE_MS - 1000
}

/** Whether the stored bytes hold the session, read without any of the product's code. */
function holds(record: string | null, sid: Sid): boolean {
  return record?.includes(`["${sid.repeat(22)}`) ?? false
}
