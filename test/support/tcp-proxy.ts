import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/**
 * What the proxy does with a connection, open ones included:
 * - `pass` forwards both ways
 * - `hang` accepts, and swallows what comes from either side
 * - `refuse` breaks it at once
 * - `drop-replies` forwards the request, waits until its answer comes, and breaks the connection instead of answering
 * - `drop-one-reply` does that once, and passes everything from then on
 * - `delay` forwards both ways, 350 ms late
 * - `garbage` answers with a web page and forwards nothing
 */
export type TcpProxyMode = 'pass' | 'hang' | 'refuse' | 'drop-replies' | 'drop-one-reply' | 'delay' | 'garbage'

export interface TcpProxy {
  port: number
  mode: (mode: TcpProxyMode) => void
  /** How many pieces from clients `hang` has swallowed so far. */
  swallowed: () => number
  close: () => Promise<void>
}

export interface TcpProxyOptions {
  targetPort: number
  /** How much later than it came each piece is forwarded, in both directions. */
  delayMs?: number
}

/** Both ways together, some replies are just in time for a store call's deadline of 800 ms and some are not. */
const LATE_MS = 350

const page = '<!doctype html><title>Welcome</title><h1>Please sign in to the network</h1>'
const garbage = [
  'HTTP/1.1 200 OK',
  'content-type: text/html',
  `content-length: ${page.length}`,
  'connection: close',
  '',
  page,
].join('\r\n')

/** A TCP proxy on 127.0.0.1 for real network faults. It starts in `pass`. */
export async function startTcpProxy({ targetPort, delayMs = 0 }: TcpProxyOptions): Promise<TcpProxy> {
  let current: TcpProxyMode = 'pass'
  let swallowed = 0
  const clients = new Set<Socket>()

  // First in, first out, also when the delay becomes shorter meanwhile.
  const waiting: { readonly dueMs: number; readonly act: () => void }[] = []
  const later = (act: () => void) => {
    const byMs = delayMs + (current === 'delay' ? LATE_MS : 0)
    if (byMs === 0 && waiting.length === 0) return act()
    const dueMs = Math.max(performance.now() + byMs, waiting.at(-1)?.dueMs ?? 0)
    waiting.push({ dueMs, act })
    if (waiting.length === 1) setTimeout(release, dueMs - performance.now())
  }
  // A timer counts from the event loop's own time, which may be old: it rings early when the loop was busy.
  const release = () => {
    while (waiting[0] && waiting[0].dueMs <= performance.now()) waiting.shift()?.act()
    if (waiting[0]) setTimeout(release, waiting[0].dueMs - performance.now())
  }

  function fromClient(chunk: Buffer, client: Socket, upstream: Socket): void {
    switch (current) {
      case 'pass':
      case 'delay':
      case 'drop-replies':
      case 'drop-one-reply':
        later(() => upstream.write(chunk))
        return
      case 'hang':
        swallowed++
        return
      case 'refuse':
        client.resetAndDestroy()
        return
      case 'garbage':
        if (client.writable) client.end(garbage)
        return
      default:
        current satisfies never
    }
  }

  function fromUpstream(chunk: Buffer, client: Socket): void {
    switch (current) {
      case 'pass':
      case 'delay':
        later(() => client.write(chunk))
        return
      case 'hang':
      case 'garbage':
        return
      case 'drop-one-reply':
        current = 'pass'
        client.resetAndDestroy()
        return
      case 'refuse':
      case 'drop-replies':
        client.resetAndDestroy()
        return
      default:
        current satisfies never
    }
  }

  const server = createServer((client) => {
    if (current === 'refuse') {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(targetPort, '127.0.0.1')
    clients.add(client)
    client.setNoDelay().on('data', (chunk) => fromClient(chunk, client, upstream))
    upstream.setNoDelay().on('data', (chunk) => fromUpstream(chunk, client))
    // What ends or breaks on one side does so on the other, when all that came before has been forwarded.
    client.on('error', () => undefined).on('close', () => later(() => upstream.destroy()))
    client.on('close', () => clients.delete(client))
    upstream.on('error', () => undefined).on('close', () => later(() => client.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy listens on no port')

  return {
    port: address.port,
    mode(mode) {
      current = mode
      if (mode === 'refuse') for (const client of clients) client.resetAndDestroy()
    },
    swallowed: () => swallowed,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const client of clients) client.destroy()
      await closed
    },
  }
}
