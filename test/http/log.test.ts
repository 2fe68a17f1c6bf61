import { describe, expect, it } from 'vitest'
import { createAdministrator } from '../support/administrator.ts'
import { apiSecret, startStack, stackForTest, testSecret } from '../support/stack.ts'
import { basic, bearer, createUser, json, password } from '../support/user.ts'

describe('the log', () => {
  it('has one JSON line for each event, with its request, user and session', async () => {
    const stack = await stackForTest({ env: { REPLAY_WINDOW_SECONDS: '5' } })
    const user = await createUser(stack)
    const first = await user.login()
    await stack.request('/v1/login', json({ username: user.username, password: 'wrong', client_id: 'app' }))
    const second = await user.login()
    await user.refreshed(second.refresh_token)
    await user.refreshed(second.refresh_token)
    await stack.advanceClock(6000)
    await user.refresh(second.refresh_token)
    const third = await user.login()
    await stack.request('/v1/logout', json({ refresh_token: third.refresh_token }))
    await user.refresh('rubbish')

    expect(stack.events.map(({ event }) => event)).toEqual([
      'account.created',
      'key.added',
      'login.succeeded',
      'login.failed',
      'login.succeeded',
      'session.superseded',
      'refresh.rotated',
      'refresh.replayed',
      'refresh.reused',
      'login.succeeded',
      'logout',
      'refresh.refused',
    ])
    const superseded = stack.events.find(({ event }) => event === 'session.superseded')
    expect(superseded).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'info',
      event: 'session.superseded',
      request_id: expect.any(String),
      user_id: user.id,
      session_id: first.session_id,
    })
    expect(stack.events.find(({ event }) => event === 'refresh.reused')).toMatchObject({
      level: 'error',
      session_id: second.session_id,
    })
    const withoutRequest = stack.events.filter(({ request_id }) => typeof request_id !== 'string')
    expect(withoutRequest.map(({ event }) => event)).toEqual(['key.added'])
  })

  it('never has a token, a password, a hash or a secret, whatever goes wrong', async () => {
    const stack = await startStack()
    const planted = 'planted-password-value'
    const user = await createUser(stack)
    const tokens = await user.login()
    const administrator = await createAdministrator(stack)
    const seen = [tokens.access_token, tokens.refresh_token, password, planted, testSecret, '$argon2id$', apiSecret]
    seen.push(administrator.accessToken)
    for (const username of ['made', user.username])
      await administrator.call('POST', '/accounts', { username, password: `${planted} long enough` })
    for (const secret of [apiSecret, planted])
      await stack.request('/v1/admin/sessions', json({ subject: 'ada' }, basic('idp', secret)))
    await stack.request('/v1/login', json({ username: planted, password: planted, client_id: 'app' }))
    await stack.request('/v1/login', json({ username: user.username, password: planted, client_id: planted }))
    await stack.request('/v1/accounts', json({ username: user.username, password: planted }))
    const authorized = { Authorization: `Bearer ${tokens.access_token}` }
    for (const current_password of [planted, password])
      await stack.request('/v1/password', json({ current_password, new_password: planted }, authorized))
    await stack.request('/v1/verify', bearer(`${tokens.access_token}x`))
    await stack.request(`/v1/verify?access_token=${tokens.access_token}`)
    await user.refresh(`${tokens.refresh_token}x`)
    seen.push((await user.refreshed(tokens.refresh_token, { attempt: planted })).refresh_token)
    stack.proxy.mode('garbage')
    await user.refresh(tokens.refresh_token)
    await stack.request('/v1/logout', json({ refresh_token: tokens.refresh_token }))
    await stack.stop()

    const log = stack.printed.join('\n')
    expect(log).toContain('store.unavailable')
    for (const secret of seen) expect(log).not.toContain(secret)
    for (const line of stack.printed) expect(() => JSON.parse(line)).not.toThrow()
  })

  it('keeps a line break in a username from making a line of its own', async () => {
    const stack = await stackForTest()
    const username = 'ada\n{"event":"login.succeeded","user_id":"forged"}'
    await stack.request('/v1/login', json({ username, password, client_id: 'app' }))
    expect(stack.events.map(({ event }) => event)).toEqual(['login.failed'])
    expect(stack.printed.join('\n')).not.toContain('forged')
  })
})
