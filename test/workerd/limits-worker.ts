/** What the parts can do: each route does one thing, as barely as it can be done in workerd. For `npm run bench`. */
import { Redis } from '@upstash/redis/cloudflare'
import { Hono, type Context } from 'hono'
import { base64url, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { argon2Wasm } from '../../src/accounts/argon2-wasm.ts'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.ts'

const environment = z.object({
  STORE_URL: z.string(),
  STORE_TOKEN: z.string(),
  /** Of a script that the store has loaded. */
  SCRIPT_SHA: z.string(),
  /** Whose tokens the verifier takes, and what they must be for. */
  ISSUER: z.string(),
})
type Environment = z.infer<typeof environment>

let environmentOfIsolate: Environment | undefined
/** Read once: to read it each time would be no limit. */
const read = (env: unknown) => (environmentOfIsolate ??= environment.parse(env))

/** An epoch, a record and a denial, as a live check reads them. */
const checkedKeys = ['epoch:{0}:limits', 's:{0}:limits', 'deny:{0}:limits']
/** What argon2id is asked for in `accounts/hasher.ts`. */
const passwordCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, secret: new Uint8Array(32) }

/** One command, as Upstash's own client would send it, without the client. */
async function command({ STORE_URL, STORE_TOKEN }: Environment, words: readonly string[]): Promise<unknown> {
  const headers = { authorization: `Bearer ${STORE_TOKEN}` }
  const answer = await fetch(STORE_URL, { method: 'POST', headers, body: JSON.stringify(words) })
  if (!answer.ok) throw new Error(`the store answered ${answer.status}`)
  return answer.json()
}

const evalsha = (env: Environment) => command(env, ['evalsha', env.SCRIPT_SHA, '1', 's:{0}:limits'])
/** As many and as long as those of a rotation. */
const rotateArguments = Array.from({ length: 15 }, (_, i) => `argument-${i}`)
const refreshBody = z.object({ refresh_token: z.string() })

/** Those of a yes of `/v1/verify`. */
const verifyHeaders = {
  'Cache-Control': 'no-store',
  'X-Request-Id': '6c84fb90-12c4-4b5c-8a3d-0c1f2f7a9e11',
  'X-User-Id': 'AAAAAAAAAAAAAAAAAAAAAA',
  'X-Session-Id': 'AAAAAAAAAAAAAAAAAAAAAA',
  'X-Roles': '',
  'X-Session-Check': 'cached',
}

/** Those of a token answer. */
const refreshHeaders = {
  'Cache-Control': 'no-store',
  Pragma: 'no-cache',
  'X-Request-Id': '6c84fb90-12c4-4b5c-8a3d-0c1f2f7a9e11',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  Vary: 'Origin',
}

/** As long as that of a refresh. */
const logLine = JSON.stringify({ event: 'x'.repeat(230) })

async function makeSigner() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  // Longer than a run takes.
  const times = { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 86_400 }
  const id = 'AAAAAAAAAAAAAAAAAAAAAA'
  const claims = { iss: 'https://auth.example.com', sub: id, aud: 'app', client_id: 'app', sid: id, jti: id, ...times }
  const header = { alg: 'ES256', kid: id, typ: 'at+jwt' }
  const sign = () => new SignJWT({ ...claims, roles: [] }).setProtectedHeader(header).sign(privateKey)
  const verify = (token: string) => jwtVerify(token, publicKey)
  const macKey = await crypto.subtle.importKey('raw', new Uint8Array(32), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
  ])
  const mac = (bytes: Uint8Array<ArrayBuffer>) => crypto.subtle.sign('HMAC', macKey, bytes)
  return { sign, verify, mac }
}

/** As `store/upstash-client.ts` makes it. */
function makeClient({ STORE_URL: url, STORE_TOKEN: token }: Environment): Redis {
  const plain = { automaticDeserialization: false, enableAutoPipelining: false, enableTelemetry: false } as const
  const signal = () => AbortSignal.timeout(10_000)
  return new Redis({ url, token, retry: { retries: 0 }, signal, responseEncoding: false, ...plain })
}

let client: Redis | undefined
let signer: ReturnType<typeof makeSigner> | undefined
const verifiers = new Map<number, Verifier>()

/** Trusts the signature, and remembers so many tokens. */
function verifierOf({ ISSUER: issuer }: Environment, rememberedTokens: number): Verifier {
  const made =
    verifiers.get(rememberedTokens) ??
    createVerifier({ issuer, audience: issuer, revocation: 'none', rememberedTokens })
  verifiers.set(rememberedTokens, made)
  return made
}

const repeat = async (times: number, act: () => Promise<unknown>) => {
  for (let done = 0; done < times; done++) await act()
}

const app = new Hono<{ Bindings: Record<string, unknown> }>()

app.get('/handler', (c) => c.body(null, 204))
/** What no check can do without: a token to read, the headers of a yes, and for a live one the store's own client and a deadline. */
function sayYes(c: Context): Response {
  const isPresent = c.req.header('Authorization') !== undefined
  return new Response(null, { status: isPresent ? 204 : 401, headers: verifyHeaders })
}
app.get('/verify', sayYes)
app.get('/verify-live', async (c) => {
  client ??= makeClient(read(c.env))
  await client.mget(...checkedKeys)
  return sayYes(c)
})

app.get('/mget', async (c) => {
  await command(read(c.env), ['mget', ...checkedKeys])
  return c.body(null, 204)
})

app.get('/mget-by-client', async (c) => {
  client ??= makeClient(read(c.env))
  await client.mget(...checkedKeys)
  return c.body(null, 204)
})

app.get('/evalsha', async (c) => {
  await evalsha(read(c.env))
  return c.body(null, 204)
})

app.get('/evalsha-and-sign', async (c) => {
  signer ??= makeSigner()
  await evalsha(read(c.env))
  return c.text(await (await signer).sign())
})

/** What no refresh can do without: it checks nothing, but reads, proves, asks by the store's own client, signs, and tells its log. */
app.post('/refresh', async (c) => {
  const { refresh_token } = refreshBody.parse(await c.req.json())
  const { sign, mac } = await (signer ??= makeSigner())
  const fields = new Uint8Array(base64url.decode(refresh_token))
  await mac(fields)
  const digest = base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', fields)))
  client ??= makeClient(read(c.env))
  await client.evalsha(read(c.env).SCRIPT_SHA, ['s:{0}:limits'], [digest, ...rotateArguments])
  const successor = base64url.encode(new Uint8Array(await mac(fields)))
  const tokens = { access_token: await sign(), token_type: 'Bearer', expires_in: 300, refresh_token: successor }
  console.log(logLine)
  return c.json(tokens, 200, refreshHeaders)
})

app.get('/sign/:times', async (c) => {
  const { sign } = await (signer ??= makeSigner())
  await repeat(Number(c.req.param('times')), sign)
  return c.body(null, 204)
})

app.get('/verify/:times', async (c) => {
  const { sign, verify } = await (signer ??= makeSigner())
  const token = await sign()
  await repeat(Number(c.req.param('times')), () => verify(token))
  return c.body(null, 204)
})

app.get('/argon2', async (c) => c.text(await argon2Wasm.hash('correct horse battery staple', passwordCost)))

/** What a service does with each request: it trusts the signature, and remembers so many tokens. */
app.get('/service/:remembered', async (c) => {
  const verifier = verifierOf(read(c.env), Number(c.req.param('remembered')))
  const token = c.req.header('authorization')?.replace('Bearer ', '') ?? ''
  const result = await verifier.verify(token, { waitUntil: (promise) => c.executionCtx.waitUntil(promise) })
  return result.ok ? c.body(null, 204) : c.text(result.code, result.status)
})

export default app
