import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * What the front does with a request:
 * - `pass` forwards it and its answer
 * - `lose-answer` forwards it, waits for its answer, and breaks the connection instead of answering
 * - `unavailable` answers 503 as the service does when its store is down
 * - `cut` breaks the connection
 */
export type Fault = 'pass' | 'lose-answer' | 'unavailable' | 'cut'

/** What stands before a service in production, with a host and a port known before the service starts. */
export interface Front {
  readonly url: string
  /** `POST /v1/refresh` and so on, in the order of their arrival, without preflights. */
  readonly requests: string[]
  forwardTo(target: () => string): void
  /** Decides for each request, until the next call. */
  fault(choose: (path: string) => Fault): void
  close(): Promise<void>
}

export async function startFront(): Promise<Front> {
  let targetOf = (): string => ''
  let choose = (_path: string): Fault => 'pass'
  const requests: string[] = []

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, isLost: boolean): void {
    const { method, headers } = incoming
    const onward = request(new URL(incoming.url ?? '/', targetOf()), { method, headers }, (answer) => {
      if (isLost) {
        answer.resume().on('end', () => outgoing.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }

  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/'
    const isPreflight = incoming.method === 'OPTIONS'
    if (!isPreflight) requests.push(`${incoming.method} ${path}`)
    const fault = choose(path)
    if (fault === 'cut') outgoing.destroy()
    else if (fault === 'unavailable' && !isPreflight) unavailable(incoming, outgoing)
    else forward(incoming, outgoing, fault === 'lose-answer' && !isPreflight)
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The front listens on no port')
  return {
    url: `http://localhost:${address.port}`,
    requests,
    forwardTo: (target) => void (targetOf = target),
    fault: (decide) => void (choose = decide),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function unavailable({ headers }: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.writeHead(503, {
    'Content-Type': 'application/problem+json',
    'Retry-After': '1',
    'Access-Control-Allow-Origin': headers.origin ?? '',
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': 'Retry-After',
  })
  outgoing.end(JSON.stringify({ status: 503, code: 'store_unavailable', title: 'Try again.' }))
}
