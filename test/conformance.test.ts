import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot } from '../src/local/project.ts'

interface Row {
  readonly id: string
  readonly proof: string
}

async function readRows(): Promise<Row[]> {
  const text = await readFile(join(projectRoot, 'test', 'conformance.md'), 'utf8')
  return text.split('\n').flatMap((line) => {
    const [, id = '', ...cells] = line.split('|').map((cell) => cell.trim())
    return /^[A-Z]\d+$/.test(id) ? [{ id, proof: cells.at(-2) ?? '' }] : []
  })
}

async function readTestNames(): Promise<Set<string>> {
  const folder = join(projectRoot, 'test')
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.test.ts'))
  const sources = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))
  // A name follows `it(` or, for a table of cases, the table's closing parenthesis.
  return new Set(sources.flatMap((source) => [...source.matchAll(/\(\s*'([^'\n]+)',/g)].map(([, name = '']) => name)))
}

describe('the conformance table', () => {
  it('has every row of the standards once', async () => {
    const ids = (await readRows()).map(({ id }) => id)
    const counts = { P: 9, A: 8, S: 9, R: 4, K: 3, C: 5, E: 8, L: 2 }
    const expected = Object.entries(counts).flatMap(([letter, count]) =>
      Array.from({ length: count }, (_, i) => `${letter}${i + 1}`),
    )
    expect(ids).toEqual(expected)
  })

  it('names for each row a test that exists, or says later', async () => {
    const names = await readTestNames()
    for (const { id, proof } of await readRows()) {
      const named = [...proof.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
      expect({ id, says: named.length > 0 || proof === 'later' }).toEqual({ id, says: true })
      expect({ id, missing: named.filter((name) => !names.has(name)) }).toEqual({ id, missing: [] })
    }
  })
})
