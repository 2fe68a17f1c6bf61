/**
 * Upstash's scripts on a real Redis. Upstash reads `#!lua flags=allow-key-locking` in a script's first line; Redis 7
 * refuses a script with that flag. The bridge sends Redis a source without it, and clients never notice: they keep
 * naming the script by the SHA-1 of the source they know.
 */
import { createHash } from 'node:crypto'
import type { Command, Reply } from './upstash-protocol.ts'

/**
 * What becomes of the first line. `strict` leaves `#!lua`, with which Redis holds a script to its declared keys in
 * cluster mode; `plain` leaves a comment, which is a script of the older kind.
 */
export type ScriptForm = 'strict' | 'plain'

/** Translates commands on their way to Redis, and replies on their way back. */
export interface ScriptDialect {
  toRedis: (command: Command) => Command
  fromRedis: (command: Command, reply: Reply) => Reply
}

const upstashFlag = 'allow-key-locking'

export function createScriptDialect(form: ScriptForm): ScriptDialect {
  /** By the SHA-1 of the client's source: the SHA-1 of ours. */
  const knownDigests = new Map<string, string>()

  function translateSource(source: string): string {
    const translated = rewriteScript(source, form)
    if (translated !== source) knownDigests.set(sha1(source), sha1(translated))
    return translated
  }

  /** A digest never seen passes through; Redis answers NOSCRIPT, and the client sends the source. */
  const translateDigest = (digest: string) => knownDigests.get(digest.toLowerCase()) ?? digest

  return {
    toRedis([name, ...args]) {
      const [first, ...rest] = args
      if (first === undefined) return [name]
      switch (name.toUpperCase()) {
        case 'EVAL':
        case 'EVAL_RO':
          return [name, translateSource(first), ...rest]
        case 'EVALSHA':
        case 'EVALSHA_RO':
          return [name, translateDigest(first), ...rest]
        case 'SCRIPT':
          if (first.toUpperCase() === 'LOAD') return [name, first, ...rest.map(translateSource)]
          if (first.toUpperCase() === 'EXISTS') return [name, first, ...rest.map(translateDigest)]
          return [name, first, ...rest]
        default:
          return [name, first, ...rest]
      }
    },

    fromRedis([name, verb, source], reply) {
      const loaded = name.toUpperCase() === 'SCRIPT' && verb?.toUpperCase() === 'LOAD' && !(reply instanceof Error)
      return loaded && source !== undefined ? Buffer.from(sha1(source)) : reply
    },
  }
}

/** Takes Upstash's flag out of a script's first line; line numbers in error messages stay right. */
export function rewriteScript(source: string, form: ScriptForm): string {
  const end = source.indexOf('\n')
  const firstLine = end === -1 ? source : source.slice(0, end)
  const flags = /^#!lua\s+flags=(?<flags>\S+)\s*$/u.exec(firstLine)?.groups?.flags?.split(',')
  if (flags === undefined || !flags.includes(upstashFlag)) return source
  const kept = flags.filter((flag) => flag !== upstashFlag)
  const strict = kept.length === 0 ? '#!lua' : `#!lua flags=${kept.join(',')}`
  return (form === 'strict' ? strict : '--') + source.slice(firstLine.length)
}

function sha1(source: string): string {
  return createHash('sha1').update(source).digest('hex')
}
