/** The balancers of the fleet: their configurations with the servers' addresses filled in. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binary } from '../binary.ts'
import { findHaproxy, findNginx } from '../gateway-binaries.ts'
import { startHaproxy, startNginx } from '../gateway-process.ts'
import type { ListeningProcess } from '../listening-process.ts'
import { projectRoot } from '../project.ts'

export type BalancerKind = 'nginx' | 'haproxy'

export interface BalancerOptions {
  readonly kind: BalancerKind
  readonly binary: Binary
  readonly folder: string
  readonly port: number
  readonly servers: readonly { readonly name: string; readonly port: number }[]
  /** Where it sends a datagram for each request. */
  readonly logPort: number
  readonly onLine: (line: string) => void
}

/** A program that runs the balancer, fetched if need be. @throws {MissingGatewayError} */
export function findBalancer(kind: BalancerKind, onProgress: (line: string) => void): Promise<Binary> {
  return kind === 'nginx' ? findNginx({ onProgress }) : findHaproxy({ onProgress })
}

/** Starts it and resolves when it listens. @throws {GatewayStartError} */
export async function startBalancer(options: BalancerOptions): Promise<ListeningProcess> {
  const { kind, binary, folder, port, onLine } = options
  const config = await describeBalancer(options)
  const start = kind === 'nginx' ? startNginx : startHaproxy
  return start({ binary, folder, port, onLine, config: () => config })
}

/** The configuration's text. */
export async function describeBalancer(
  options: Pick<BalancerOptions, 'kind' | 'port' | 'servers' | 'logPort'>,
): Promise<string> {
  const { kind, port, servers, logPort } = options
  const file = kind === 'nginx' ? 'nginx.conf' : 'haproxy.cfg'
  const template = await readFile(join(projectRoot, 'src', 'local', 'fleet', file), 'utf8')
  const lines = {
    nginx: servers.map((server) => `server 127.0.0.1:${server.port} max_fails=1 fail_timeout=1s;`),
    haproxy: servers.map((server) => `server ${server.name} 127.0.0.1:${server.port}`),
  }
  const names = servers.map((server) => `"~127\\.0\\.0\\.1:${server.port}$" ${server.name};`)
  return template
    .replace('{port}', () => String(port))
    .replace('{log_port}', () => String(logPort))
    .replace(/^( *)\{servers\}$/mu, (_, indent: string) => lines[kind].map((line) => indent + line).join('\n'))
    .replace(/^( *)\{names\}$/mu, (_, indent: string) => names.map((line) => indent + line).join('\n'))
}
