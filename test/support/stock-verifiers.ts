import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { z } from 'zod'
import { projectRoot } from '../../src/local/project.ts'
import type { Stack } from './stack.ts'

const run = promisify(execFile)

/** The public keys that a server publishes. */
export async function readKeySet(stack: Stack) {
  const answer = await stack.request('/.well-known/jwks.json')
  const key = z.looseObject({ kty: z.string(), kid: z.string() })
  return z.object({ keys: z.array(key) }).parse(await answer.json()).keys
}

export interface StockVerifier {
  /** @throws if the verifier refuses the token */
  verify(token: string): Promise<void>
  stop(): void
}

export interface VerifierOptions {
  readonly keySetUrl: string
  readonly issuer: string
  readonly audience: string
  /** For tests that move the service's clock, which a program in another language does not hear of. PyJWT only. */
  readonly ignoreTimes?: boolean
}

/** A verifier in another language, as a program that reads tokens, one a line, and answers `ok` or `refused: …`. */
interface ForeignVerifier {
  /** What to install where it is missing. */
  readonly debianPackages: string
  readonly isHere: () => boolean
  /** The command to run, made in `folder` if it must be made. */
  readonly command: (folder: string) => Promise<[string, ...string[]]>
}

const sources = join(projectRoot, 'test', 'interop')

/** Debian's Python, which has Debian's PyJWT. */
const python = '/usr/bin/python3'

/** Where Debian's packages put the sources of Go libraries; nothing is downloaded. */
const goEnvironment = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '', CGO_ENABLED: '0' }
const goEnv = { ...process.env, ...goEnvironment, GOTOOLCHAIN: 'local' }

const foreignVerifiers = {
  PyJWT: {
    debianPackages: 'python3-jwt python3-cryptography',
    isHere: () => spawnSync(python, ['-c', 'import jwt, cryptography']).status === 0,
    command: async () => [python, join(sources, 'pyjwt-verifier.py')],
  },
  'go-jose': {
    debianPackages: 'golang-go golang-gopkg-square-go-jose.v2-dev',
    isHere: () => spawnSync('go', ['list', 'gopkg.in/square/go-jose.v2/jwt'], { env: goEnv, cwd: '/' }).status === 0,
    command: async (folder) => {
      const program = join(folder, 'verifier')
      const env = { ...goEnv, GOCACHE: join(folder, 'cache') }
      await run('go', ['build', '-o', program, 'main.go'], { cwd: join(sources, 'go-verifier'), env })
      return [program]
    },
  },
} satisfies Record<string, ForeignVerifier>

export type ForeignKind = keyof typeof foreignVerifiers

/** Whether to test with it: where it is missing a newcomer's machine is told so; in CI its absence is a failure. */
export function shouldTest(kind: ForeignKind): boolean {
  const { isHere, debianPackages } = foreignVerifiers[kind]
  if (process.env.CI || isHere()) return true
  console.warn(`Not tested: ${kind} is missing. apt-get install ${debianPackages}`)
  return false
}

/** @throws when it is missing */
export async function startVerifier(
  kind: ForeignKind,
  { keySetUrl, issuer, audience, ignoreTimes = false }: VerifierOptions,
): Promise<StockVerifier> {
  const { command, debianPackages } = foreignVerifiers[kind]
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-verifier-'))
  try {
    const [program, ...args] = await command(folder)
    const options = [keySetUrl, issuer, audience, ...(ignoreTimes ? ['ignore-times'] : [])]
    const child = spawn(program, [...args, ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(child, 'spawn')
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const answer = async () => String((await lines.next()).value)
    if ((await answer()) !== 'ready') throw new Error('it ended at once')
    return {
      async verify(token) {
        child.stdin.write(`${token}\n`)
        const said = await answer()
        if (said !== 'ok') throw new Error(said)
      },
      stop: () => child.stdin.end(),
    }
  } catch (cause) {
    throw new Error(`${kind} does not run: apt-get install ${debianPackages}`, { cause })
  } finally {
    // A program that runs needs its file no more.
    await rm(folder, { recursive: true, force: true })
  }
}
