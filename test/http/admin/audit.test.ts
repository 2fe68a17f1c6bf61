import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createAdministrator, startAdministeredStack, type Administrator } from '../../support/administrator.ts'
import type { Stack } from '../../support/stack.ts'
import { createUser, json, password, refusal } from '../../support/user.ts'

let stack: Stack
let administrator: Administrator
beforeAll(async () => {
  stack = await startAdministeredStack(2)
  administrator = await createAdministrator(stack)
})
afterAll(() => stack.stop())

const trail = z.object({
  events: z.array(
    z.looseObject({
      time: z.iso.datetime(),
      event: z.string(),
      by: z.string(),
      user_id: z.string().optional(),
      outcome: z.string(),
    }),
  ),
  next: z.string().optional(),
})
const read = async (query: Record<string, string> = {}) =>
  trail.parse(await administrator.done('GET', `/audit?${new URLSearchParams(query).toString()}`))

describe('the audit trail', () => {
  it('has every change of a user’s account and sessions, newest first: by whom, from where, in which request', async () => {
    const user = await createUser(stack)
    const from = { 'CF-Connecting-IP': '203.0.113.77' }
    const credentials = { username: user.username, password, client_id: 'app' }
    const signIn = async () => {
      const answer = await stack.request('/v1/login', json(credentials, from))
      const { session_id } = z.object({ session_id: z.string() }).parse(await answer.json())
      return { sid: session_id, requestId: answer.headers.get('X-Request-Id') }
    }
    const [first, second] = [await signIn(), await signIn()]
    await administrator.done('DELETE', `/users/${user.id}/sessions/${first.sid}`)
    await administrator.done('PATCH', `/accounts/${user.id}`, { roles: ['teller'] })
    await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'disabled' })
    await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'active' })
    const last = await administrator.call('DELETE', `/accounts/${user.id}`)
    const { events, next } = await read({ user_id: user.id })
    expect(next).toBeUndefined()
    const [own, admins] = [`user:${user.id}`, `user:${administrator.id}`]
    expect(events.map(({ event, by }) => [event, by])).toEqual([
      ['account.deleted', admins],
      ['account.enabled', admins],
      ['session.ended', admins],
      ['account.disabled', admins],
      ['account.roles_set', admins],
      ['session.ended', admins],
      ['session.opened', own],
      ['session.opened', own],
      ['account.created', own],
    ])
    expect(events[0]).toMatchObject({ user_id: user.id, request_id: last.headers.get('X-Request-Id'), outcome: 'done' })
    expect(events[4]).toMatchObject({ detail: 'teller' })
    expect(events[6]).toEqual({
      time: expect.any(String),
      event: 'session.opened',
      user_id: user.id,
      session_id: second.sid,
      by: own,
      from: '203.0.113.0/24',
      request_id: second.requestId,
      outcome: 'done',
      detail: 'app',
    })
  })

  it('of everybody is read page by page, each event once, the newest first', async () => {
    for (let i = 0; i < 6; i++) await (await createUser(stack)).login()
    const whole = await read({ limit: '200' })
    const seen: unknown[] = []
    let before: string | undefined
    do {
      const page = await read({ limit: '5', ...(before === undefined ? {} : { before }) })
      seen.push(...page.events)
      before = page.next
    } while (before !== undefined)
    expect(seen).toEqual(whole.events)
    expect(seen.length).toBeGreaterThan(12)
    const times = whole.events.map(({ time }) => time)
    expect(times).toEqual(times.toSorted().toReversed())
  })

  it('does not have what anybody could fill it with: failed passwords and plain refreshes are in the log', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    const before = (await read({ user_id: user.id })).events
    for (let i = 0; i < 3; i++)
      await stack.request('/v1/login', json({ username: user.username, password: 'wrong', client_id: 'app' }))
    await user.refreshed(refresh_token)
    await user.refresh('rubbish')
    expect((await read({ user_id: user.id })).events).toEqual(before)
  })

  it('has no secret', async () => {
    const user = await createUser(stack)
    const tokens = await user.login()
    const told = JSON.stringify(await read({ limit: '200' }))
    for (const secret of [password, tokens.access_token, tokens.refresh_token, '$argon2id$'])
      expect(told).not.toContain(secret)
  })

  it('is asked for in a way that it knows', async () => {
    for (const query of ['limit=0', 'limit=201', 'user_id='])
      expect(await refusal(await administrator.call('GET', `/audit?${query}`))).toBe('400 bad_request')
    expect(await read({ user_id: 'AAAAAAAAAAAAAAAAAAAAAA' })).toEqual({ events: [] })
  })
})
