import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { z } from 'zod'
import type { Stack } from './stack.ts'

export const password = 'correct horse battery staple'

const tokens = z.object({ access_token: z.string(), session_id: z.string(), refresh_token: z.string() })
export type Tokens = z.infer<typeof tokens>

export interface RefreshOptions {
  readonly attempt?: string
  readonly clientId?: string
}

/** A registered user with a native client, over HTTP. */
export interface User {
  readonly id: string
  readonly username: string
  /** Signs in, with the client `app` unless another is named, and expects that to work. */
  login(clientId?: string): Promise<Tokens>
  refresh(refreshToken: string, options?: RefreshOptions): Promise<Response>
  /** Refreshes and expects that to work. */
  refreshed(refreshToken: string, options?: RefreshOptions): Promise<Tokens>
}

/** A request with a JSON body. */
export function json(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } }
}

export function bearer(accessToken: string, method = 'GET'): RequestInit {
  return { method, headers: { Authorization: `Bearer ${accessToken}` } }
}

/** An `Authorization` header of `client_secret_basic`: both halves form-encoded (RFC 6749 section 2.3.1). */
export function basic(clientId: string, secret: string): { Authorization: string } {
  const encode = (text: string) => new URLSearchParams({ x: text }).toString().slice(2)
  return { Authorization: `Basic ${Buffer.from(`${encode(clientId)}:${encode(secret)}`).toString('base64')}` }
}

/** A request with a form. */
export function form(fields: Record<string, string>, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', body: new URLSearchParams(fields), headers }
}

export async function createUser(stack: Stack): Promise<User> {
  const username = `user-${randomBytes(6).toString('hex')}`
  const registered = await stack.request('/v1/accounts', json({ username, password }))
  expect(registered.status).toBe(201)
  const { user_id: id } = z.object({ user_id: z.string() }).parse(await registered.json())
  const refresh = (refreshToken: string, { attempt, clientId }: RefreshOptions = {}) =>
    stack.request(
      '/v1/refresh',
      json({ refresh_token: refreshToken, client_id: clientId }, attempt ? { 'Idempotency-Key': attempt } : {}),
    )
  return {
    id,
    username,
    login: async (clientId = 'app') =>
      readTokens(await stack.request('/v1/login', json({ username, password, client_id: clientId }))),
    refresh,
    refreshed: async (refreshToken, options) => readTokens(await refresh(refreshToken, options)),
  }
}

export async function readTokens(answer: Response): Promise<Tokens> {
  const body: unknown = await answer.json()
  expect({ status: answer.status, body }).toMatchObject({ status: 200 })
  return tokens.parse(body)
}

/** The stable code of a refusal. */
export async function codeOf(answer: Response): Promise<string> {
  return z.object({ code: z.string() }).parse(await answer.json()).code
}

/** Status and code in one, as in `401 refresh_reused`. */
export async function refusal(answer: Response): Promise<string> {
  return `${answer.status} ${await codeOf(answer)}`
}

/** The body, as an object. */
export async function bodyOf(answer: Response): Promise<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).parse(await answer.json())
}
