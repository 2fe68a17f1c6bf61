import { createHash } from 'node:crypto'
import { Redis } from '@upstash/redis/cloudflare'
import { Redis as DirectRedis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BridgeRequest } from '../../src/local/bridge.ts'
import type { RedisProcess } from '../../src/local/redis-process.ts'
import { startTestBridge, startTestRedis, type TestBridge } from '../support/redis.ts'

let server: RedisProcess
let direct: DirectRedis
let bridge: TestBridge
let redis: Redis
const requests: BridgeRequest[] = []

function clientOf({ url, token }: { url: string; token: string }): Redis {
  return new Redis({
    url,
    token,
    retry: { retries: 0 },
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
  })
}

/** Posts without the client, to see the answer as it is. */
async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(bridge.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${bridge.token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

/** An Upstash script of its own digest. */
const source = (mark: string) => `#!lua flags=allow-key-locking\nredis.call('SET', KEYS[1], ARGV[1])\nreturn '${mark}'`

beforeAll(async () => {
  server = await startTestRedis()
  direct = new DirectRedis(server.url)
  bridge = await startTestBridge(server.url, { onRequest: (request) => requests.push(request) })
  redis = clientOf(bridge)
}, 120_000)

afterAll(async () => {
  direct.disconnect()
  await bridge.close()
  await server.stop()
})

beforeEach(async () => {
  await direct.flushall()
  requests.length = 0
})

describe('one command', () => {
  test('answers as Redis does', async () => {
    expect(await redis.set('name', 'value', { ex: 60 })).toBe('OK')
    expect(await redis.get('name')).toBe('value')
    expect(await redis.get('absent')).toBeNull()
    expect(await redis.incr('count')).toBe(1)
    expect(await direct.get('name')).toBe('value')
  })

  test('gives a hash as the flat list Redis sends', async () => {
    await redis.hset('hash', { a: '1', b: '2' })
    expect(await redis.hgetall('hash')).toEqual(['a', '1', 'b', '2'])
  })

  test('reports an error with 400 and in the words of Redis', async () => {
    await redis.set('text', 'value')
    expect(await post('/', ['lpush', 'text', 'item'])).toEqual({
      status: 400,
      body: { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
    })
    await expect(redis.lpush('text', 'item')).rejects.toThrow('WRONGTYPE Operation against a key')
  })

  test('reports a script that is not loaded in the words clients look for', async () => {
    expect(await post('/', ['evalsha', '0'.repeat(40), '0'])).toEqual({
      status: 400,
      body: { error: 'NOSCRIPT No matching script. Please use EVAL.' },
    })
  })

  test('tells of the request once, with the commands as the client wrote them', async () => {
    await redis.set('name', 'value', { px: 5000 })
    expect(requests).toEqual([{ path: '/', commands: [['set', 'name', 'value', 'px', '5000']] }])
  })
})

describe('a pipeline', () => {
  test('answers each command, and one that fails does not keep the others from being applied', async () => {
    await direct.set('text', 'value')
    const pipeline = redis.pipeline().set('a', '1').lpush('text', 'item').incr('count')
    const answers = await pipeline.exec({ keepErrors: true })
    expect(answers).toEqual([
      { result: 'OK', error: undefined },
      { result: undefined, error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
      { result: 1, error: undefined },
    ])
    expect(requests).toHaveLength(1)
  })

  test('refuses the commands that are not available one by one', async () => {
    expect(
      await post('/pipeline', [
        ['set', 'a', '1'],
        ['watch', 'a'],
        ['get', 'a'],
      ]),
    ).toEqual({
      status: 200,
      body: [{ result: 'OK' }, { error: "ERR Command is not available: 'WATCH'" }, { result: '1' }],
    })
  })
})

describe('a transaction', () => {
  test('answers each command', async () => {
    expect(await redis.multi().set('a', '1').incr('a').get('a').exec()).toEqual(['OK', 2, '2'])
  })

  test('reports a command that fails while it is carried out, and applies the others', async () => {
    await direct.set('text', 'value')
    expect(
      await post('/multi-exec', [
        ['set', 'a', '1'],
        ['lpush', 'text', 'x'],
      ]),
    ).toEqual({
      status: 200,
      body: [{ result: 'OK' }, { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' }],
    })
    expect(await direct.get('a')).toBe('1')
  })

  test('is discarded as a whole when a command is malformed', async () => {
    expect(await post('/multi-exec', [['set', 'a', '1'], ['get']])).toEqual({
      status: 400,
      body: { error: 'EXECABORT Transaction discarded because of previous errors.' },
    })
    await expect(redis.multi().set('a', '1').mget().exec()).rejects.toThrow('EXECABORT Transaction discarded')
    expect(await direct.exists('a')).toBe(0)
    expect(await redis.set('still', 'working')).toBe('OK')
  })

  test('is discarded as a whole when a command is not available', async () => {
    expect(await post('/multi-exec', [['set', 'a', '1'], ['exec'], ['set', 'b', '1']])).toEqual({
      status: 400,
      body: { error: "ERR Command is not available: 'EXEC'" },
    })
    expect(await direct.exists('a', 'b')).toBe(0)
  })

  test('is not mixed with what other requests do', async () => {
    const increments = Array.from({ length: 20 })
    const transactions = Array.from({ length: 100 }, async () => {
      const transaction = redis.multi()
      for (const _ of increments) transaction.incr('shared')
      return transaction.exec<number[]>()
    })
    const others = Array.from({ length: 200 }, () => redis.incr('shared'))
    const [runs] = await Promise.all([Promise.all(transactions), Promise.all(others)])
    for (const run of runs) {
      const [first = Number.NaN] = run
      expect(run).toEqual(increments.map((_, index) => first + index))
    }
    expect(await redis.get('shared')).toBe(String(100 * 20 + 200))
  })
})

describe('the encoding', () => {
  const nested = `return { 'OK', 'ü€😀', 7, false, { 'OK', { 'deep', ARGV[1] } }, redis.status_reply('FINE') }`

  test('brings strings back at any depth', async () => {
    expect(await redis.eval(nested, [], ['línea\n\u0000"'])).toEqual([
      'OK',
      'ü€😀',
      7,
      null,
      ['OK', ['deep', 'línea\n\u0000"']],
      'FINE',
    ])
  })

  test('brings strings back at any depth of a transaction', async () => {
    await redis.rpush('list', 'OK', 'ü€😀')
    const answers = await redis.multi().lrange('list', 0, -1).eval(nested, [], ['x']).set('a', 'b').exec()
    expect(answers).toEqual([['OK', 'ü€😀'], ['OK', 'ü€😀', 7, null, ['OK', ['deep', 'x']], 'FINE'], 'OK'])
  })

  test('is base64 of the bytes, and leaves numbers, null, errors and a lone OK as they are', async () => {
    const headers = { 'upstash-encoding': 'base64' }
    await direct.set('bytes', Buffer.from([0x00, 0xff, 0xc3, 0x28]))
    const commands = [
      ['get', 'bytes'],
      ['set', 'a', 'b'],
      ['incr', 'n'],
      ['get', 'none'],
      ['get'],
      ['mget', 'a', 'none'],
    ]
    expect(await post('/pipeline', commands, headers)).toEqual({
      status: 200,
      body: [
        { result: 'AP/DKA==' },
        { result: 'OK' },
        { result: 1 },
        { result: null },
        { error: "ERR wrong number of arguments for 'get' command" },
        { result: ['Yg==', null] },
      ],
    })
    expect(await post('/', ['eval', "return {'OK'}", '0'], headers)).toEqual({
      status: 200,
      body: { result: ['T0s='] },
    })
  })

  test('is plain text when the client does not ask for another', async () => {
    await direct.set('text', 'ü€😀')
    expect(await post('/', ['get', 'text'])).toEqual({ status: 200, body: { result: 'ü€😀' } })
  })
})

describe('scripts', () => {
  describe.each(['strict', 'plain'] as const)('in the %s form', (scriptForm) => {
    let formBridge: TestBridge
    let formRedis: Redis
    let commandNames: string[]

    beforeAll(async () => {
      formBridge = await startTestBridge(server.url, {
        scriptForm,
        onRequest: ({ commands }) => commandNames.push(...commands.map(([name = '']) => name)),
      })
      formRedis = clientOf(formBridge)
    })
    afterAll(() => formBridge.close())
    beforeEach(async () => {
      await direct.script('FLUSH')
      commandNames = []
    })

    test('run by their digest once they have been sent', async () => {
      const script = formRedis.createScript<string>(source('by digest'))
      expect(await script.exec(['key'], ['1'])).toBe('by digest')
      expect(await script.exec(['key'], ['2'])).toBe('by digest')
      expect(await direct.get('key')).toBe('2')
      expect(commandNames).toEqual(['evalsha', 'eval', 'evalsha'])
    })

    test('are sent again when Redis has lost them', async () => {
      const script = formRedis.createScript<string>(source('lost'))
      await script.exec(['key'], ['1'])
      await direct.script('FLUSH')
      expect(await script.exec(['key'], ['2'])).toBe('lost')
      expect(commandNames).toEqual(['evalsha', 'eval', 'evalsha', 'eval'])
    })

    test('are loaded under the digest of what the client sent', async () => {
      const digest = await formRedis.scriptLoad(source('loaded'))
      expect(digest).toBe(createHash('sha1').update(source('loaded')).digest('hex'))
      expect(await formRedis.scriptExists(digest)).toEqual([1])
      expect(await formRedis.evalsha(digest, ['key'], ['1'])).toBe('loaded')
      const [reloaded] = await formRedis.multi().scriptLoad(source('loaded')).exec()
      expect(reloaded).toBe(digest)
    })

    test('without the first line of Upstash are left as they are', async () => {
      expect(await formRedis.eval(`return 'untouched'`, [], [])).toBe('untouched')
      expect(await formRedis.createScript<string>(`return 'untouched'`).exec([], [])).toBe('untouched')
    })

    test('keep their line numbers in error messages', async () => {
      await expect(formRedis.eval(`#!lua flags=allow-key-locking\n\nerror('here')`, [], [])).rejects.toThrow(
        'user_script:3: here',
      )
    })

    test('can be read-only', async () => {
      await direct.set('key', 'value')
      const script = formRedis.createScript<string, true>(
        `#!lua flags=no-writes,allow-key-locking\nreturn redis.call('GET', KEYS[1])`,
        { readonly: true },
      )
      expect(await script.exec(['key'], [])).toBe('value')
      expect(await script.exec(['key'], [])).toBe('value')
      expect(commandNames).toEqual(['evalsha_ro', 'eval_ro', 'evalsha_ro'])
    })
  })
})

describe('what is refused', () => {
  const paths = ['/', '/pipeline', '/multi-exec']

  test.each(paths)('a wrong or missing token on %s', async (path) => {
    const body = path === '/' ? ['get', 'a'] : [['get', 'a']]
    const answer = { status: 401, body: { error: 'WRONGPASS invalid or missing auth token' } }
    expect(await post(path, body, { authorization: 'Bearer wrong' })).toEqual(answer)
    expect(await post(path, body, { authorization: bridge.token })).toEqual(answer)
    expect(await post(path, body, { authorization: '' })).toEqual(answer)
    expect(requests).toEqual([])
  })

  test('a wrong token, for the client', async () => {
    const stranger = clientOf({ url: bridge.url, token: 'wrong' })
    await expect(stranger.get('a')).rejects.toThrow('WRONGPASS invalid or missing auth token')
    await expect(stranger.pipeline().get('a').exec()).rejects.toThrow('WRONGPASS')
    await expect(stranger.multi().get('a').exec()).rejects.toThrow('WRONGPASS')
  })

  test('other paths and methods', async () => {
    expect(await post('/get/a', ['get', 'a'])).toMatchObject({ status: 404 })
    const response = await fetch(bridge.url, { headers: { authorization: `Bearer ${bridge.token}` } })
    expect(response.status).toBe(405)
  })

  test.each([
    ['/', 'nonsense'],
    ['/', ''],
    ['/', '{"0":"get"}'],
    ['/', '[]'],
    ['/', '[""]'],
    ['/', '["get", null]'],
    ['/', '["get", true]'],
    ['/', '["get", ["a"]]'],
    ['/', '[["get", "a"]]'],
    ['/pipeline', '[]'],
    ['/pipeline', '["get", "a"]'],
    ['/pipeline', '[["set", "a", "1"], []]'],
    ['/multi-exec', '{}'],
    ['/multi-exec', '[["set", "a", "1"], [{}]]'],
  ])('on %s the body %s, and nothing of it is applied', async (path, body) => {
    expect(await post(path, body)).toEqual({ status: 400, body: { error: expect.stringMatching(/^ERR /u) } })
    expect(await direct.dbsize()).toBe(0)
  })

  test.each([
    ['subscribe', 'channel'],
    ['MONITOR'],
    ['blpop', 'list', '0'],
    ['XREAD', 'COUNT', '1', 'BLOCK', '0', 'STREAMS', 'stream', '$'],
    ['wait', '1', '0'],
    ['watch', 'a'],
    ['multi'],
    ['exec'],
    ['discard'],
    ['select', '1'],
    ['auth', 'password'],
    ['hello', '3'],
    ['quit'],
    ['client', 'reply', 'off'],
    ['script', 'debug', 'yes'],
    ['shutdown', 'nosave'],
  ])('the command %s', async (...command) => {
    const name = command[0]?.toUpperCase()
    expect(await post('/', command)).toEqual({
      status: 400,
      body: { error: `ERR Command is not available: '${name}'` },
    })
    expect(await redis.incr('after')).toBe(1)
  })

  test('no key of a stream for being called BLOCK', async () => {
    await direct.xadd('block', '1-1', 'field', 'value')
    expect(await post('/', ['xread', 'streams', 'block', '0'])).toMatchObject({ status: 200 })
  })

  test('a body of more than 10 MB', async () => {
    expect(await post('/', ['set', 'big', 'x'.repeat(10 * 1024 * 1024)])).toMatchObject({ status: 413 })
    expect(await redis.get('big')).toBeNull()
  })
})

describe('under load', () => {
  test('carries a value of 5 MB there and back', async () => {
    const value = 'é'.repeat(2.5 * 1024 * 1024)
    expect(await redis.set('big', value)).toBe('OK')
    expect(await redis.get('big')).toBe(value)
  })

  test('gives 1,000 concurrent callers each their own answer', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `caller ${index}`)
    await Promise.all(names.map((name) => redis.set(name, name)))
    expect(await Promise.all(names.map((name) => redis.get(name)))).toEqual(names)
  })
})

describe('when Redis is away', () => {
  const unreachable = { status: 503, body: { error: 'ERR store unreachable' } }

  const noPrimaries = [
    {
      which: 'was made a replica',
      refuse: () => direct.replicaof('127.0.0.1', 1),
      accept: () => direct.replicaof('NO', 'ONE'),
    },
    {
      which: 'its replicas have left',
      refuse: () => direct.config('SET', 'min-replicas-to-write', '1'),
      accept: () => direct.config('SET', 'min-replicas-to-write', '0'),
    },
  ]

  test.each(noPrimaries)('takes a refusal by a server that $which for no answer', async ({ refuse, accept }) => {
    await refuse()
    const script = ['eval', source('demoted'), '1', 'key', '1']
    const answers = [
      await post('/', ['set', 'key', '1']),
      await post('/', script),
      await post('/pipeline', [['get', 'key'], script]),
      await post('/multi-exec', [['get', 'key'], script]),
    ]
    expect(answers).toEqual([unreachable, unreachable, unreachable, unreachable])
    await accept()
    expect(await direct.exists('key')).toBe(0)
    await expect.poll(() => post('/', ['set', 'key', '2'])).toEqual({ status: 200, body: { result: 'OK' } })
  })

  test('answers 503 on every path, and works again when Redis does', async () => {
    await redis.set('kept', 'value')
    await server.kill()
    expect(await post('/', ['get', 'kept'])).toEqual(unreachable)
    expect(await post('/pipeline', [['get', 'kept']])).toEqual(unreachable)
    expect(await post('/multi-exec', [['get', 'kept']])).toEqual(unreachable)
    await expect(redis.get('kept')).rejects.toThrow('ERR store unreachable')
    await server.restart()
    await expect
      .poll(() => post('/', ['get', 'kept']), { timeout: 10_000 })
      .toEqual({
        status: 200,
        body: { result: 'value' },
      })
  })

  test('answers 503 to requests under way when it dies', async () => {
    await expect.poll(() => post('/', ['ping']), { timeout: 10_000 }).toMatchObject({ status: 200 })
    server.pause()
    const seen = requests.length
    const waiting = [post('/', ['get', 'a']), post('/pipeline', [['get', 'a']]), post('/multi-exec', [['get', 'a']])]
    await expect.poll(() => requests.length).toBe(seen + waiting.length)
    await server.kill()
    expect(await Promise.all(waiting)).toEqual([unreachable, unreachable, unreachable])
    await server.restart()
    await expect.poll(() => post('/', ['ping']), { timeout: 10_000 }).toMatchObject({ status: 200 })
  })

  test('starts, and says so', async () => {
    const lonely = await startTestBridge('redis://127.0.0.1:1')
    await expect(clientOf(lonely).get('a')).rejects.toThrow('ERR store unreachable')
    await lonely.close()
  })

  test('lets a client of a hung Redis give up, and serves the next when Redis goes on', async () => {
    server.pause()
    const patience = new AbortController()
    const waiting = fetch(bridge.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${bridge.token}` },
      body: '["get","a"]',
      signal: patience.signal,
    })
    await expect.poll(() => requests.length).toBe(1)
    patience.abort()
    await expect(waiting).rejects.toThrow('aborted')
    server.resume()
    expect(await redis.set('a', '1')).toBe('OK')
  })
})
