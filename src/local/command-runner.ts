/** Runs the commands of one REST request on a Redis connection that all requests share. */
import { connectRedis, isOfNoPrimary, type SentinelGroup } from './redis-connection.ts'
import type { ScriptDialect } from './script-dialect.ts'
import { type Answer, type Command, type CommandPath, type Reply, refusal, toAnswer } from './upstash-protocol.ts'

/** Redis did not answer, or it is no primary. The commands may have been applied or not. */
export class UnreachableStoreError extends Error {
  override name = 'UnreachableStoreError'
}

/** The response to one request: its status and its body. */
export interface RestAnswer {
  status: 200 | 400
  body: Answer | Answer[]
}

export interface CommandRunner {
  /** @throws {UnreachableStoreError} at once when there is no connection, or when it breaks before all have answered */
  run: (path: CommandPath, commands: Command[], base64: boolean) => Promise<RestAnswer>
  close: () => void
}

/**
 * Starts connecting and goes on trying for ever; resolves when connected, or when the first try has failed. With
 * sentinels it is connected to the primary that they name, and to another one as soon as they name another one.
 */
export async function createCommandRunner(
  place: string | SentinelGroup,
  dialect: ScriptDialect,
): Promise<CommandRunner> {
  const { redis, close } = await connectRedis(place)

  /** Everything sent by one call goes out in one go, so nobody's commands come between. */
  async function send(commands: Command[]): Promise<Reply[]> {
    // A connection being set up takes some commands already: half a transaction would slip through.
    if (redis.status !== 'ready') throw new UnreachableStoreError()
    const replies = commands.map(([name, ...args]) =>
      // ioredis reshapes the replies of names it knows, and it knows them in lower case.
      redis.callBuffer(name.toUpperCase(), args).then(toReply, toErrorReply),
    )
    return Promise.all(replies)
  }

  async function runOne(command: Command, base64: boolean): Promise<RestAnswer> {
    const [answer = { error: 'ERR empty command' }] = await runEach([command], base64)
    return { status: 'error' in answer ? 400 : 200, body: answer }
  }

  async function runEach(commands: Command[], base64: boolean): Promise<Answer[]> {
    const refusals = commands.map(refusal)
    const accepted = commands.filter((_, index) => refusals[index] === undefined)
    const replies = (await send(accepted.map(dialect.toRedis))).values()
    return commands.map((command, index) => {
      const refused = refusals[index]
      if (refused !== undefined) return { error: refused }
      return toAnswer(dialect.fromRedis(command, replies.next().value ?? null), base64)
    })
  }

  async function runTransaction(commands: Command[], base64: boolean): Promise<RestAnswer> {
    const refused = commands.map(refusal).find((reason) => reason !== undefined)
    if (refused !== undefined) return { status: 400, body: { error: refused } }
    const outcome = (await send([['MULTI'], ...commands.map(dialect.toRedis), ['EXEC']])).at(-1)
    if (outcome instanceof Error) return { status: 400, body: { error: outcome.message } }
    if (!Array.isArray(outcome)) throw new UnreachableStoreError('EXEC was not answered with a list')
    const answers = commands.map((command, index) =>
      toAnswer(dialect.fromRedis(command, outcome[index] ?? null), base64),
    )
    return { status: 200, body: answers }
  }

  return {
    async run(path, commands, base64) {
      switch (path) {
        case '/': {
          const [command] = commands
          if (command === undefined) return { status: 400, body: { error: 'ERR empty command' } }
          return runOne(command, base64)
        }
        case '/pipeline':
          return { status: 200, body: await runEach(commands, base64) }
        case '/multi-exec':
          return runTransaction(commands, base64)
        default:
          return path satisfies never
      }
    },
    close,
  }
}

/** The shapes a RESP2 parser makes; anything else is a defect of ours. */
function toReply(value: unknown): Reply {
  if (Array.isArray(value)) return value.map(toReply)
  if (value === null || typeof value === 'number' || Buffer.isBuffer(value) || value instanceof Error) return value
  throw new TypeError(`Redis answered with a ${typeof value}`)
}

/** What a primary said is an answer; what a replica says is not, nor what ioredis says about the connection. */
function toErrorReply(error: unknown): Error {
  if (error instanceof Error && error.name === 'ReplyError' && !isOfNoPrimary(error)) return error
  throw new UnreachableStoreError('Redis did not answer', { cause: error })
}
