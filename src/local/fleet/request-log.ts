/** Counts what the balancer passed on: it sends a datagram for each request, as to a syslog. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { RequestCounts } from './fleet.ts'

export interface RequestLog {
  readonly port: number
  readonly counts: () => ReadonlyMap<string, RequestCounts>
  readonly close: () => Promise<void>
}

/** Room for what arrives while this process is busy; datagrams beyond that are lost. */
const bufferBytes = 1024 * 1024

/** The end of each datagram, from either balancer: who answered, and with which status. */
const entry = /(?<server>server-\d+|nobody|<NOSRV>) (?<status>\d{3})\s*$/u

/** Listens on a free UDP port of 127.0.0.1. */
export async function startRequestLog(): Promise<RequestLog> {
  const counts = new Map<string, RequestCounts>()
  const socket = createSocket({ type: 'udp4', recvBufferSize: bufferBytes })
  socket.on('message', (message) => {
    const { server = 'nobody', status } = entry.exec(message.toString('latin1'))?.groups ?? {}
    if (status === undefined) return
    const name = server === '<NOSRV>' ? 'nobody' : server
    const { requests, refusals, failures } = counts.get(name) ?? { requests: 0, refusals: 0, failures: 0 }
    counts.set(name, {
      requests: requests + 1,
      refusals: refusals + Number(status.startsWith('4')),
      failures: failures + Number(status.startsWith('5')),
    })
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    port: socket.address().port,
    counts: () => counts,
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}
