import { once } from 'node:events'
import { Agent, createServer, request, type Server } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

let server: Server
let targetPort: number
let served: string[]
let proxy: TcpProxy
let agent: Agent

beforeEach(async () => {
  served = []
  server = createServer((incoming, response) => {
    served.push(incoming.url ?? '')
    response.end(`answer to ${incoming.url}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  targetPort = address.port
  proxy = await startTcpProxy({ targetPort })
  agent = new Agent({ keepAlive: true, maxSockets: 1 })
})

afterEach(async () => {
  agent.destroy()
  await proxy.close()
  server.closeAllConnections()
  server.close()
})

/** One request over the one kept-alive connection. */
async function get(path: string, signal?: AbortSignal): Promise<{ reused: boolean; body: string; type: string }> {
  const outgoing = request({ host: '127.0.0.1', port: proxy.port, path, agent, ...(signal && { signal }) })
  const answer = new Promise<{ body: string; type: string }>((resolve, reject) => {
    outgoing.on('error', reject).on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ body, type: response.headers['content-type'] ?? '' }))
    })
  })
  outgoing.end()
  return { ...(await answer), reused: outgoing.reusedSocket }
}

test('passes requests and answers on, over one connection', async () => {
  expect(await get('/1')).toEqual({ body: 'answer to /1', type: '', reused: false })
  expect(await get('/2')).toEqual({ body: 'answer to /2', type: '', reused: true })
})

test('hangs on a connection already open, and serves again later', async () => {
  await get('/1')
  proxy.mode('hang')
  const patience = new AbortController()
  const waiting = get('/2', patience.signal)
  // By the time this longer way is done, the proxy has got the request.
  const other = await startTcpProxy({ targetPort })
  const outcome = await Promise.race([waiting, fetch(`http://127.0.0.1:${other.port}/other`).then(() => 'other')])
  await other.close()
  expect(outcome).toBe('other')
  patience.abort()
  await expect(waiting).rejects.toThrow('aborted')
  proxy.mode('pass')
  expect(await get('/3')).toMatchObject({ body: 'answer to /3' })
  expect(served).toEqual(['/1', '/other', '/3'])
})

test('forwards late, and in order when it is not late any longer', async () => {
  await get('/1')
  proxy.mode('delay')
  const sentMs = performance.now()
  const late = get('/2')
  await expect.poll(() => served, { timeout: 5000 }).toEqual(['/1', '/2'])
  proxy.mode('pass')
  expect(await late).toMatchObject({ body: 'answer to /2', reused: true })
  expect(performance.now() - sentMs).toBeGreaterThanOrEqual(350)
})

test('refuses connections, open ones included', async () => {
  await get('/1')
  proxy.mode('refuse')
  await expect(get('/2')).rejects.toThrow('ECONNRESET')
  await expect(get('/3')).rejects.toThrow('ECONNRESET')
  proxy.mode('pass')
  expect(await get('/4')).toMatchObject({ body: 'answer to /4' })
  expect(served).toEqual(['/1', '/4'])
})

test('drops replies after the request was served', async () => {
  await get('/1')
  proxy.mode('drop-replies')
  await expect(get('/2')).rejects.toThrow('ECONNRESET')
  await expect(get('/3')).rejects.toThrow('ECONNRESET')
  expect(served).toEqual(['/1', '/2', '/3'])
})

test('answers with a web page instead', async () => {
  await get('/1')
  proxy.mode('garbage')
  expect(await get('/2')).toMatchObject({ type: 'text/html', body: expect.stringContaining('<h1>') })
  expect(await get('/3')).toMatchObject({ type: 'text/html' })
  proxy.mode('pass')
  expect(await get('/4')).toMatchObject({ body: 'answer to /4' })
  expect(served).toEqual(['/1', '/4'])
})
