/** Ports that a part keeps when it is killed and revived. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections: one of these could take the port of a part that is down, and a
 * connection to such a port can even end up connected to itself. Redis's wish for 10,000 more than its port fits too.
 */
const firstPort = 12_000
const lastPort = 31_999

/** Ports on 127.0.0.1 that nobody uses now, each another one. */
export async function pickPorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(firstPort, lastPort + 1)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

/** Whether this process may listen there, on 127.0.0.1, now. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  const listens = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (!listens) return false
  server.close()
  await once(server, 'close')
  return true
}
