import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createWorld, grant, refuse, settle, type Call, type Tab } from './world.ts'

/** Longer than the service's window for replays without a key. */
const LONG_MS = 400_000

/** The service and the browser's cookie, as far as refreshing goes: the table in README, without its window of time. */
function createService() {
  let [generation, cookie, lastKey] = [0, 0, '']
  let reused = false
  return {
    get reused() {
      return reused
    },
    /** How the next refresh goes; afterwards all is well. */
    next: 'well' as 'well' | 'never arrives' | 'answer lost' | 'cookie without answer' | 'store down',
    respond({ path, key }: Call): Response {
      if (path !== '/v1/refresh') return grant('token-0')
      const how = this.next
      this.next = 'well'
      if (how === 'never arrives') throw new TypeError('no network')
      if (cookie === generation) [generation, lastKey] = [generation + 1, key ?? '']
      else if (cookie !== generation - 1 || key !== lastKey) {
        reused = true
        return refuse(401, 'refresh_reused')
      }
      if (how === 'store down') return refuse(503, 'store_unavailable', { 'Retry-After': '1' })
      if (how === 'answer lost') throw new TypeError('no network')
      cookie = generation
      if (how === 'cookie without answer') throw new TypeError('no network')
      return grant(`token-${generation}`)
    },
  }
}

const step = fc.oneof(
  fc.record({
    does: fc.constant('trouble' as const),
    next: fc.constantFrom(
      'never arrives' as const,
      'answer lost' as const,
      'cookie without answer' as const,
      'store down' as const,
    ),
  }),
  fc.record({ does: fc.constant('pass' as const), ms: fc.constantFrom(1000, 61_000, LONG_MS) }),
  fc.record({ does: fc.constant('sleep' as const), ms: fc.constantFrom(61_000, LONG_MS, -3_600_000, 3_600_000) }),
  fc.record({
    does: fc.constantFrom('call' as const, 'reload' as const, 'open' as const, 'online' as const),
    tab: fc.nat(2),
  }),
)

it.each([
  ['with Web Locks', false],
  ['without Web Locks', true],
])('no sequence of lost answers, reloads, sleep and outages signs anybody out, %s', async (_, withoutLocks) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const world = createWorld()
      const service = createService()
      world.respond = async (call) => service.respond(call)
      const open = (): Tab => world.open({ withoutLocks })
      const tabs = [open()]
      const tabAt = (i: number) => tabs[i % tabs.length]
      const first = tabs[0]?.session.login('grace', 'correct horse battery')
      await world.pass(1000)
      expect(await first).toEqual({ ok: true })
      for (const taken of steps)
        switch (taken.does) {
          case 'trouble':
            service.next = taken.next
            break
          case 'pass':
            await world.pass(taken.ms)
            break
          case 'sleep':
            world.sleep(taken.ms)
            for (const tab of tabs) tab.wake('front')
            await settle()
            break
          case 'call':
            void tabAt(taken.tab)
              ?.session.getAccessToken()
              .catch(() => {})
            await settle()
            break
          case 'online':
            tabAt(taken.tab)?.wake('online')
            await settle()
            break
          case 'reload':
            tabAt(taken.tab)?.session.close()
            tabs[taken.tab % tabs.length] = open()
            break
          case 'open':
            if (tabs.length < 3) tabs.push(open())
        }
      service.next = 'well'
      await world.pass(130_000)
      expect(service.reused).toBe(false)
      for (const { session } of tabs) {
        expect(session.status().kind).toBe('signed-in')
        const token = session.getAccessToken()
        await world.pass(6000)
        expect(await token).toMatch(/^token-/)
      }
      for (const { session } of tabs) session.close()
      await world.pass(LONG_MS)
    }),
    { numRuns: 150 },
  )
})
