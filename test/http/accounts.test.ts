import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.ts'
import { json, password, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

const register = (username: unknown, secret: unknown = password) =>
  stack.request('/v1/accounts', json({ username, password: secret }))

describe('registration', () => {
  it('answers 201 with the user’s id and canonical name', async () => {
    const answer = await register('  Ada Lovelace ')
    expect(answer.status).toBe(201)
    expect(await answer.json()).toEqual({ user_id: expect.stringMatching(/^[\w-]{22}$/), username: 'ada lovelace' })
  })

  it('refuses a taken username however it is spelled, and keeps the first password', async () => {
    await register('grace')
    expect(await refusal(await register('GRACE', 'another password entirely'))).toBe('409 username_taken')
    const login = await stack.request('/v1/login', json({ username: 'grace', password, client_id: 'app' }))
    expect(login.status).toBe(200)
  })

  it('refuses a password of 14 characters and accepts one of 15, counted in code points', async () => {
    const keys = Array.from({ length: 15 }, (_, i) => String.fromCodePoint(0x1f511 + i * 7))
    const answer = await register('short', keys.slice(0, 14).join(''))
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({
      code: 'password_rejected',
      detail: 'A password has at least 15 characters.',
    })
    expect((await register('long', keys.join(''))).status).toBe(201)
  })

  it('takes long passwords with spaces and any Unicode, whole, and normalizes their spelling', async () => {
    const composed = ` caf\u00e9 ${'x'.repeat(240)} tail`
    const decomposed = composed.normalize('NFD')
    expect((await register('unicode', composed)).status).toBe(201)
    const login = (secret: string) =>
      stack.request('/v1/login', json({ username: 'unicode', password: secret, client_id: 'app' }))
    expect((await login(decomposed)).status).toBe(200)
    expect(await refusal(await login(composed.slice(0, -1)))).toBe('401 invalid_credentials')
    expect(await refusal(await register('endless', 'x'.repeat(257)))).toBe('422 password_rejected')
  })

  it.each(['', '   ', 'x'.repeat(65), 'a\nb', 'zero\u200bwidth'])('refuses the username %j', async (username) => {
    expect(await refusal(await register(username))).toBe('422 username_rejected')
  })

  it('names the fields that are missing, never their values', async () => {
    const answer = await stack.request('/v1/accounts', json({ username: 7, password: ['planted-secret-value'] }))
    const text = await answer.text()
    expect(answer.status).toBe(400)
    expect(JSON.parse(text)).toMatchObject({ code: 'bad_request', detail: 'Missing or wrong: username, password.' })
    expect(text).not.toContain('planted')
  })

  it('lets one of ten racing registrations of a name win', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => register('racer')))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9)
  })

  it('is closed unless it was opened', async () => {
    const closed = await startStack({ env: { REGISTRATION: 'closed' } })
    try {
      const answer = await closed.request('/v1/accounts', json({ username: 'ada', password }))
      expect(await refusal(answer)).toBe('403 registration_closed')
    } finally {
      await closed.stop()
    }
  })
})
