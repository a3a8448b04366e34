import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { MemorySource } from '../helpers/memory-source.ts'
import { needs } from '../helpers/needs.ts'
import { contents, pull } from '../helpers/pulling.ts'
import { tinyDisk } from '../helpers/tiny-disk.ts'

const test = await needs({ root: true })

test.each([
  ['one by one', false],
  ['in batches', true],
])(
  'a disk that is full, so that not even what failed can be noted, ends the round and nothing else: %s',
  async (_, peer) => {
    const source = new MemorySource({ peer })
    for (let index = 0; index < 300; index++) source.put(`a/${index}`, Buffer.alloc(4000, `${index} `))
    const disk = tinyDisk(1536)
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(512 * 1024))
    const one = pull(source, join(disk, 'to'))
    const { signal } = new AbortController()
    await expect(one.round(signal)).rejects.toMatchObject({ code: 'DISK_FULL' })
    await expect(one.round(signal)).rejects.toMatchObject({ code: 'DISK_FULL' })
    rmSync(join(disk, 'ballast'))
    source.remove('a/299')
    for (let index = 150; index < 299; index++) source.remove(`a/${index}`)
    await one.round(signal)
    expect(Object.keys(contents(join(disk, 'to')))).toEqual(expect.arrayContaining([...source.keys]))
    await one.close()
  },
)
