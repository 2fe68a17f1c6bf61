/** Which client is calling. RFC 6749 section 2.3: `client_secret_basic`, `client_secret_post`, `none` for public clients. */
import { auth as readBasic } from 'hono/utils/basic-auth'
import type { Client } from '../client.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { sameBytes } from '../tokens/own-token.ts'
import type { RequestContext } from './context.ts'

/** What a form says of its sender. */
export interface ClientFields {
  readonly client_id?: string | undefined
  readonly client_secret?: string | undefined
}

/** The client that the `Authorization` header or the form names, its secret checked if it has one. */
export async function authenticateClient(
  c: RequestContext,
  clients: readonly Client[],
  { client_id, client_secret }: ClientFields = {},
): Promise<Result<Client, Failure>> {
  const header = c.req.header('Authorization')
  if (header !== undefined && client_secret !== undefined)
    return failed({ reason: 'bad_request', detail: 'A client authenticates by its header or its form, not by both.' })
  const basic = header === undefined ? undefined : readBasicCredentials(c)
  if (header !== undefined && (!basic || (client_id ?? basic.id) !== basic.id)) return refuse(c, basic?.id)
  const client = await findClient(clients, basic ?? { id: client_id ?? '', secret: client_secret })
  return client ? ok(client) : refuse(c, basic?.id ?? client_id)
}

/** A service, which has always a secret. A public client that only names itself has not authenticated. */
export async function authenticateService(
  c: RequestContext,
  clients: readonly Client[],
  fields?: ClientFields,
): Promise<Result<Client, Failure>> {
  const client = await authenticateClient(c, clients, fields)
  if (!client.ok || client.value.kind === 'service') return client
  return client.value.secretDigest ? failed({ reason: 'client_not_allowed' }) : refuse(c, client.value.id)
}

/** Whether the caller may act as a client: anybody as a public one, the holder of its secret as a confidential one. */
export async function mayActAs(c: RequestContext, client: Client): Promise<boolean> {
  if (!client.secretDigest) return true
  const basic = readBasicCredentials(c)
  return basic !== undefined && (await findClient([client], basic)) !== undefined
}

interface Credentials {
  readonly id: string
  readonly secret: string | undefined
}

/** Both halves are form-encoded before they are joined: RFC 6749 section 2.3.1. */
function readBasicCredentials(c: RequestContext): Credentials | undefined {
  const basic = readBasic(c.req.raw)
  const [id, secret] = [formDecode(basic?.username), formDecode(basic?.password)]
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

function formDecode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

async function findClient(clients: readonly Client[], { id, secret }: Credentials): Promise<Client | undefined> {
  const client = clients.find((one) => one.id === id)
  if (secret === undefined) return client?.secretDigest ? undefined : client
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)))
  return client?.secretDigest && sameBytes(digest, client.secretDigest) ? client : undefined
}

function refuse(c: RequestContext, clientId: string | undefined): Result<Client, Failure> {
  // Only a name that could be a client's: what people put in its place may be a secret.
  const named = clientId !== undefined && /^[a-z][a-z0-9-]{0,19}$/.test(clientId) ? clientId : undefined
  c.get('log').event('client.refused', { client_id: named })
  return failed({ reason: 'client_unauthenticated' })
}
