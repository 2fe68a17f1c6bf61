/** The Upstash REST protocol in front of a real Redis, for machines where there is no Upstash. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type CommandRunner, createCommandRunner, UnreachableStoreError } from './command-runner.ts'
import type { SentinelGroup } from './redis-connection.ts'
import { createScriptDialect, type ScriptForm } from './script-dialect.ts'
import { type CommandPath, isCommandPath, parseCommands } from './upstash-protocol.ts'

/** Upstash's limit for a request. */
const bodyLimitBytes = 10 * 1024 * 1024

export interface BridgeOptions {
  /** `redis://…`, or the sentinels that know where the primary is. */
  redisUrl: string | SentinelGroup
  /** The Bearer token clients must present. */
  token: string
  /** A free one by default. */
  port?: number
  scriptForm?: ScriptForm
  /** Told of each well-formed, authorized request before it goes to Redis: for tests that count. */
  onRequest?: (request: BridgeRequest) => void
}

/** The commands of one HTTP request, as the client wrote them. */
export interface BridgeRequest {
  path: string
  commands: string[][]
}

export interface Bridge {
  url: string
  port: number
  close: () => Promise<void>
}

/**
 * Listens on 127.0.0.1. With Redis away it starts and answers 503, and works as soon as Redis does. With Redis hung a
 * request stays open until the client gives up; its commands may still be applied, as they may be at Upstash. While
 * sentinels elect another primary it answers 503.
 */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const { redisUrl, token, port: wantedPort = 0, scriptForm = 'strict', onRequest } = options
  const runner = await createCommandRunner(redisUrl, createScriptDialect(scriptForm))
  const answer = createAnswerer({ runner, isToken: createTokenCheck(token), onRequest })
  const server = createServer((request, response) => {
    answer(request)
      .catch((error: unknown) => failed(error))
      .then((reply) => send(response, reply))
      .catch(() => response.destroy())
  })
  // A connection closed here just as the client uses it again would look like a broken store: let the client close it.
  server.keepAliveTimeout = 10 * 60 * 1000
  try {
    server.listen(wantedPort, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    runner.close()
    throw error
  }
  const port = portOf(server)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      runner.close()
      await closed
    },
  }
}

interface HttpReply {
  status: number
  body: unknown
}

interface AnswererParts {
  runner: CommandRunner
  isToken: (header: string | undefined) => boolean
  onRequest: BridgeOptions['onRequest']
}

function createAnswerer({ runner, isToken, onRequest }: AnswererParts) {
  return async (request: IncomingMessage): Promise<HttpReply> => {
    if (!isToken(request.headers.authorization)) {
      return refused(401, 'WRONGPASS invalid or missing auth token')
    }
    const [path = '/'] = (request.url ?? '/').split('?')
    if (!isCommandPath(path)) return refused(404, 'ERR no such path')
    if (request.method !== 'POST') return refused(405, 'ERR only POST is supported')
    const parsed = await readCommands(request, path)
    if ('status' in parsed) return parsed
    onRequest?.({ path, commands: parsed.commands })
    return runner.run(path, parsed.commands, request.headers['upstash-encoding'] === 'base64')
  }
}

async function readCommands(request: IncomingMessage, path: CommandPath) {
  const body = await readBody(request)
  if (body === undefined) return refused(413, 'ERR max request size exceeded')
  const parsed = parseCommands(path, body)
  return 'error' in parsed ? refused(400, parsed.error) : parsed
}

/** Reads too long a body to its end, keeping nothing: a client still sending would not see the answer. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('A request body is read as bytes')
    length += chunk.length
    if (length <= bodyLimitBytes) chunks.push(chunk)
    else chunks.length = 0
  }
  return length <= bodyLimitBytes ? Buffer.concat(chunks).toString('utf8') : undefined
}

/** Compares digests, which have one length, in constant time. */
function createTokenCheck(token: string): (header: string | undefined) => boolean {
  const expected = sha256(token)
  return (header) => {
    const presented = /^Bearer (?<token>.+)$/iu.exec(header ?? '')?.groups?.token
    return presented !== undefined && timingSafeEqual(sha256(presented), expected)
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function refused(status: number, error: string): HttpReply {
  return { status, body: { error } }
}

function failed(error: unknown): HttpReply {
  return error instanceof UnreachableStoreError
    ? refused(503, 'ERR store unreachable')
    : refused(500, 'ERR the bridge failed')
}

function send(response: ServerResponse, { status, body }: HttpReply): void {
  // The client may have given up while Redis took its time.
  if (response.destroyed) return
  const text = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length }).end(text)
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The bridge listens on no port')
  return address.port
}
