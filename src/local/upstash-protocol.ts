/** The Upstash REST protocol as pure functions: reading requests, refusing commands, writing answers. */

/** One Redis command as its words, the name first. */
export type Command = [name: string, ...args: string[]]

/** The paths of the protocol: one command, many, or many as one transaction. */
export type CommandPath = '/' | '/pipeline' | '/multi-exec'

/** What Redis answered to one command, its strings as bytes. */
export type Reply = Buffer | number | null | Error | Reply[]

/** The answer to one command as it stands in a response body. */
export type Answer = { result: unknown } | { error: string }

export function isCommandPath(path: string): path is CommandPath {
  return path === '/' || path === '/pipeline' || path === '/multi-exec'
}

/**
 * Reads a request body: one command for `/`, a list of commands for the other paths. Numbers become their decimal text,
 * as they do at Upstash.
 *
 * @returns the commands, or the reason why there are none
 */
export function parseCommands(path: CommandPath, body: string): { commands: Command[] } | { error: string } {
  const json = parseJson(body)
  if (json === undefined) return { error: 'ERR failed to parse the request body as JSON' }
  const list: unknown = path === '/' ? [json] : json
  if (!Array.isArray(list) || list.length === 0) {
    return { error: 'ERR the request body must be an array of commands' }
  }
  const commands: Command[] = []
  for (const item of list) {
    const command = parseCommand(item)
    if (command === undefined) return { error: 'ERR a command must be an array of strings and numbers' }
    commands.push(command)
  }
  return { commands }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function parseCommand(item: unknown): Command | undefined {
  if (!Array.isArray(item)) return undefined
  const words: string[] = []
  for (const word of item) {
    if (typeof word !== 'string' && typeof word !== 'number') return undefined
    words.push(String(word))
  }
  const [name, ...args] = words
  return name === undefined || name === '' ? undefined : [name, ...args]
}

/** These block, subscribe, or change the connection or the server, and the connection is shared by all requests. */
const unavailable = new Set(
  [
    'AUTH HELLO SELECT QUIT RESET CLIENT READONLY READWRITE ASKING',
    'MULTI EXEC DISCARD WATCH UNWATCH',
    'SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR',
    'BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF',
    'SYNC PSYNC REPLCONF REPLICAOF SLAVEOF FAILOVER MIGRATE SHUTDOWN DEBUG CONFIG MODULE',
  ].flatMap((line) => line.split(' ')),
)

/** Why a command is not passed on to Redis, or undefined when it is. */
export function refusal([name, ...args]: Command): string | undefined {
  const upper = name.toUpperCase()
  const first = args[0]?.toUpperCase()
  const refused =
    unavailable.has(upper) ||
    (upper === 'SCRIPT' && first === 'DEBUG') ||
    ((upper === 'XREAD' || upper === 'XREADGROUP') && blocks(args))
  return refused ? `ERR Command is not available: '${upper}'` : undefined
}

/** Whether BLOCK stands among the options of a stream read, which end where the keys begin. */
function blocks(args: string[]): boolean {
  const words = args.map((word) => word.toUpperCase())
  const keys = words.indexOf('STREAMS')
  return words.slice(0, keys === -1 ? undefined : keys).includes('BLOCK')
}

/** Writes one reply as `{result}` or `{error}`; only results are encoded. */
export function toAnswer(reply: Reply, base64: boolean): Answer {
  if (reply instanceof Error) return { error: reply.message }
  // The client reads a lone OK as it stands, encoded or not, and never decodes it twice.
  if (Buffer.isBuffer(reply) && reply.toString('latin1') === 'OK') return { result: 'OK' }
  return { result: encode(reply, base64) }
}

function encode(reply: Reply, base64: boolean): unknown {
  if (Array.isArray(reply)) return reply.map((item) => encode(item, base64))
  if (Buffer.isBuffer(reply)) return reply.toString(base64 ? 'base64' : 'utf8')
  // A script can return an error inside a table, where the protocol has no place for errors but as text.
  if (reply instanceof Error) return encode(Buffer.from(reply.message), base64)
  return reply
}
