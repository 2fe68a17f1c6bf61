import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'

/** The range interface of breached passwords, as far as it is used. */
export interface RangeInterface {
  readonly url: string
  /** What was asked. */
  readonly requests: readonly Pick<IncomingMessage, 'method' | 'url' | 'headers'>[]
}

export type RangeAnswer = (request: IncomingMessage, response: ServerResponse) => void

export function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex').toUpperCase()
}

/** The answer of one that knows these passwords, and pads. */
export function knowing(...passwords: string[]): RangeAnswer {
  return ({ url = '' }, response) => {
    const prefix = url.slice(-5)
    const found = passwords.map(sha1).filter((digest) => digest.startsWith(prefix))
    const lines = [...found.map((digest) => `${digest.slice(5)}:42`), `${'0'.repeat(35)}:0`, `${'F'.repeat(35)}:7`]
    response.end(lines.join('\r\n'))
  }
}

/** A real HTTP server for one test. */
export async function rangeInterfaceForTest(answer: RangeAnswer): Promise<RangeInterface> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { url: `http://127.0.0.1:${address.port}`, requests }
}
