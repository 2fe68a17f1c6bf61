import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** A request as it came to the service behind a gateway. */
export interface Received {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface EchoService {
  readonly port: number
  /** All that came since the last {@link EchoService.forget}, in order. */
  readonly received: readonly Received[]
  forget(): void
  close(): Promise<void>
}

/** A service that remembers what it gets. It answers 200, or as a path such as `/status/500` asks. */
export async function startEchoService(): Promise<EchoService> {
  const received: Received[] = []
  const respond = async (request: IncomingMessage, answer: ServerResponse) => {
    const { method, url: path, headers } = request
    received.push({ method, path, headers, body: await text(request) })
    answer.writeHead(Number(/^\/status\/(\d+)/u.exec(path ?? '')?.[1] ?? 200)).end('from the service')
  }
  const server = createServer((request, answer) => void respond(request, answer))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the service listens on no port')
  return {
    port: address.port,
    received,
    forget: () => void received.splice(0),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
