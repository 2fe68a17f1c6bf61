import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot } from '../../src/local/project.ts'

const folder = join(projectRoot, 'src', 'store', 'lua')
/** What is put in front of others: it has no keys of its own. */
const shared = new Set(['audit.lua', 'create.lua', 'record.lua', 'throttle.lua', 'deny.lua'])
const sources = readdirSync(folder).map((name) => ({ name, source: readFileSync(join(folder, name), 'utf8') }))

describe.each(sources)('$name', ({ name, source }) => {
  const calls = [...source.matchAll(/redis\.call\('(\w+)',\s*([^,)\s]+)/g)]

  it('touches declared keys alone, and reads no clock', () => {
    expect(source.match(/redis\.call/g)?.length ?? 0).toBe(calls.length)
    for (const [, command, key] of calls) {
      expect(command).not.toBe('TIME')
      // `key`, `feed` and `trail` are parameters of the shared functions, which callers fill from KEYS.
      expect(key).toMatch(
        shared.has(name) ? /^(key|feed|trail|account_key|username_key|usernames_key)$/ : /^(KEYS\[\d\]|unpack\(KEYS)$/,
      )
    }
    expect(source).not.toMatch(/os\.(time|clock)|math\.random|redis\.pcall/)
  })

  it('opens with what it does', () => {
    expect(source.split('\n')[0]).toMatch(new RegExp(`^-- ${name.replace('.lua', '')}: `))
  })
})

it('every script states its keys and what it returns', () => {
  for (const { name, source } of sources.filter((one) => !shared.has(one.name)))
    for (const line of ['-- KEYS[1] ', '-- returns '])
      expect({ name, source }).toEqual({ name, source: expect.stringContaining(line) })
})

it('shared functions are given declared keys by every script that uses them', () => {
  for (const { name, source } of sources.filter((one) => !shared.has(one.name)))
    for (const [call, key] of source.matchAll(
      /\b(?:load|save|announce|announce_end|announce_roles|audit|deny|delay)\((\S+?)[,)]/g,
    ))
      expect({ name, call, declared: /^KEYS\[\d\]$/.test(key ?? '') }).toEqual({ name, call, declared: true })
})
