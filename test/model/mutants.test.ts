/** The explorer can fail: each of these mistakes in a script breaks a promise, and the shortest path is found. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { scripts } from '../../src/store/scripts.ts'
import { startTestStore, type TestStore } from '../support/store.ts'
import { describe, explore } from './explore.ts'
import { createRealStore } from './real-store.ts'
import { setups } from './setups.ts'

let started: TestStore

beforeAll(async () => {
  started = await startTestStore()
})
afterAll(() => started.stop())

interface Mutant {
  readonly mistake: string
  readonly script: 'rotate' | 'openSession' | 'endSession'
  /** What is written in the script, and what is put in its place. */
  readonly written: string
  readonly instead: string
  /** The story in which it shows. */
  readonly story: string
  readonly promise: RegExp
}

const staysSignedIn = /^who follows the rules stays signed in/
const neverAgain = /^what has ended is never accepted again/
const inTheFeed = /^what has ended stands in the feed/
const previous = 'generation == current - 1 and (attempt == session.attempt or in_window)'

const mutants: readonly Mutant[] = [
  {
    mistake: 'a repeated attempt is not recognised',
    script: 'rotate',
    written: 'attempt == session.attempt or in_window',
    instead: 'in_window',
    story: 'one client, lost and late calls, slow servers',
    promise: staysSignedIn,
  },
  {
    mistake: 'the previous token is good for whoever shows it',
    script: 'rotate',
    written: previous,
    instead: 'generation == current - 1',
    story: 'one client, a thief, late calls, a logout',
    promise: /^a token is good for one exchange/,
  },
  {
    mistake: 'any older token is good within the window',
    script: 'rotate',
    written: previous,
    instead: 'attempt == session.attempt or in_window',
    story: 'one client, a thief, late calls, a logout',
    promise: /^a refresh answers with the newest token/,
  },
  {
    mistake: 'there is no window',
    script: 'rotate',
    written: 'attempt == session.attempt or in_window',
    instead: 'attempt == session.attempt',
    story: 'three tabs, one round',
    promise: staysSignedIn,
  },
  {
    mistake: 'the window ends a moment early',
    script: 'rotate',
    written: '<= replay_ms',
    instead: '< replay_ms',
    story: 'three tabs, one round',
    promise: staysSignedIn,
  },
  {
    mistake: 'reuse is told and the session lives on',
    script: 'rotate',
    written: 'session.gen = REUSED',
    instead: '',
    story: 'one client, a thief, late calls, a logout',
    promise: neverAgain,
  },
  {
    mistake: 'a lost write is taken for a forgery',
    script: 'rotate',
    written: "session.gen = string.format('%010d', generation + 1)",
    instead:
      "if generation > current then return { 'unknown' } end session.gen = string.format('%010d', generation + 1)",
    story: 'one client, lost calls, failovers',
    promise: staysSignedIn,
  },
  {
    mistake: 'the attempt is not stored',
    script: 'rotate',
    written: 'session.attempt = attempt',
    instead: '',
    story: 'one client, lost and late calls, slow servers',
    promise: staysSignedIn,
  },
  {
    mistake: 'an expired session is refreshed',
    script: 'rotate',
    written: "if has_expired(session, now_ms, idle_ms) then return { 'expired' } end",
    instead: '',
    story: 'one client, lost and late calls, slow servers',
    promise: /^no token is issued after the expiry/,
  },
  {
    mistake: 'any client may refresh',
    script: 'rotate',
    written: "' ' .. session.client .. ' ', 1, true",
    instead: "' ', 1, true",
    story: 'one client, a thief, late calls, a logout',
    promise: /^a token is of use to its own client only/,
  },
  {
    mistake: 'a session that is not there is made up again',
    script: 'rotate',
    written: 'local session = find(record, sid)',
    instead: `local session = find(record, sid)
      if not session and #record.sessions == 0 then
        session = { sid = sid, digest = digest, client = 'app', gen = string.format('%010d', generation),
          attempt = attempt, auth = now_ms, used = now_ms, ends = now_ms + idle_ms,
          device = '', epoch = record.epoch or '--------', amr = '', lead = '00000' }
        record.sessions[1] = session
      end`,
    story: 'a client, a login on a phone, lost and damaged records',
    promise: /^no token is issued on absence/,
  },
  {
    mistake: 'a session of another epoch is refreshed',
    script: 'rotate',
    written: 'if session and session.epoch == record.epoch then',
    instead: 'if session then',
    story: 'a client, a login on a phone, the end of every session',
    promise: neverAgain,
  },
  {
    mistake: 'a login keeps the older session',
    script: 'openSession',
    written: 'while #kept >= limit do',
    instead: 'while #kept > limit do',
    story: 'two tabs, a login on a phone, a thief',
    promise: /^one live session per user/,
  },
  {
    mistake: 'a login does not say which session it ended',
    script: 'openSession',
    written: 'announce_end(KEYS[3], ended, now_ms, window_ms)',
    instead: '',
    story: 'two tabs, a login on a phone, a thief',
    promise: inTheFeed,
  },
  {
    mistake: 'a repeated login ends its own session',
    script: 'openSession',
    written: "if find(record, sid) then return { 'opened', record.roles } end",
    instead: '',
    story: 'two tabs, a login on a phone, a thief',
    promise: /^what lives is not announced as ended/,
  },
  {
    mistake: 'a login needs no account',
    script: 'openSession',
    written: "if not readable or type(account) ~= 'table' then return { 'changed' } end",
    instead: `if type(account) ~= 'table' then
        account = { user_id = ARGV[#ARGV - 4], hash = checked_hash, status = 'active', roles = '' }
      end`,
    story: 'a client, a login on a phone, lost and damaged records',
    promise: /^no token is issued on absence/,
  },
  {
    mistake: 'a logout leaves the session where it is',
    script: 'endSession',
    written: 'table.remove(record.sessions, place)',
    instead: '',
    story: 'two tabs, a logout in one of them',
    promise: neverAgain,
  },
  {
    mistake: 'a logout by access token denies that token alone',
    script: 'endSession',
    written: 'local session, place = find(record, sid)',
    instead: "local session, place = find(record, digest == '' and '' or sid)",
    story: 'two tabs, a logout by access token',
    promise: inTheFeed,
  },
  {
    mistake: 'a logout is not announced',
    script: 'endSession',
    written: 'announce_end(KEYS[3], session, now_ms, window_ms)',
    instead: '',
    story: 'two tabs, a logout in one of them',
    promise: inTheFeed,
  },
]

it.each(mutants)('notices when $mistake', async ({ mistake, script, written, instead, story, promise }) => {
  const setup = setups.find(({ name }) => name === story)
  if (!setup) throw new Error(`no story: ${story}`)
  expect(scripts[script]).toContain(written)
  const mutated = scripts[script].replace(written, () => instead)
  const store = await createRealStore(started, (changes) => withScript(script, mutated, () => started.connect(changes)))
  const explored = await explore(store, setup)
  console.log(`${mistake}:\n${describe(explored)}`)
  expect(explored.violation?.promise).toMatch(promise)
})

/** The adapter reads its scripts once, when it is made. */
function withScript<T>(name: Mutant['script'], source: string, make: () => T): T {
  const original = { ...scripts }
  try {
    Object.assign(scripts, { [name]: source })
    return make()
  } finally {
    Object.assign(scripts, original)
  }
}
