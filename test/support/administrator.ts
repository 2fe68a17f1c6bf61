import { expect } from 'vitest'
import { startStack, type Stack } from './stack.ts'
import { bodyOf, createUser, json, type User } from './user.ts'

/** An account with the role `admin`, signed in, and the calls that it may make. */
export interface Administrator extends User {
  readonly accessToken: string
  /** A call below /v1/admin. */
  call(method: string, path: string, body?: unknown): Promise<Response>
  /** A call that works: its status and body. */
  done(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>
}

/** Two servers over four buckets, with a deadline for the store that a busy machine keeps. */
export function startAdministeredStack(sessionsPerUser: number): Promise<Stack> {
  const env = { SESSIONS_PER_USER: String(sessionsPerUser), STORE_BUCKETS: '4', STORE_TIMEOUT_MS: '5000' }
  return startStack({ servers: 2, env })
}

export async function createAdministrator(stack: Stack, roles = 'admin'): Promise<Administrator> {
  const user = await createUser(stack)
  const changed = await stack.store().changeAccount({
    account: { userId: user.id, username: user.username },
    roles,
    nowMs: stack.nowMs(),
    actor: { by: 'operator', from: '', requestId: '' },
  })
  expect(changed?.account.roles).toBe(roles)
  const { access_token: accessToken } = await user.login()
  const call = (method: string, path: string, body?: unknown) => {
    const headers = { Authorization: `Bearer ${accessToken}` }
    return stack.request(
      `/v1/admin${path}`,
      body === undefined ? { method, headers } : { ...json(body, headers), method },
    )
  }
  return {
    ...user,
    accessToken,
    call,
    async done(method, path, body) {
      const answer = await call(method, path, body)
      const told = answer.status === 204 ? {} : await bodyOf(answer)
      expect({ path, status: answer.status, told }).toMatchObject({
        status: expect.toSatisfy((status) => status < 300),
      })
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
      return told
    },
  }
}
