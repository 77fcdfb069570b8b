// zvec through its Node binding: the same records in a collection of its own for each kind of index.
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const zvec = createRequire(import.meta.url)('@zvec/zvec');

export function initialize() {
  zvec.ZVecInitialize({ queryThreads: 1, logLevel: zvec.ZVecLogLevel.ERROR });
}

export class Zvec {
  constructor(kind, hnsw) {
    this.kind = kind;
    this.hnsw = hnsw;
  }

  load(records) {
    const metricType = zvec.ZVecMetricType.IP;
    const indexParams = this.kind === 'flat'
      ? { indexType: zvec.ZVecIndexType.FLAT, metricType }
      : { indexType: zvec.ZVecIndexType.HNSW, metricType, m: this.hnsw.m, efConstruction: this.hnsw.efConstruction };
    this.place = mkdtempSync(join(tmpdir(), 'zvec-bench-'));
    this.collection = zvec.ZVecCreateAndOpen(join(this.place, 'docs'), new zvec.ZVecCollectionSchema({
      name: 'docs',
      vectors: [{ name: 'w', dataType: zvec.ZVecDataType.SPARSE_VECTOR_FP32, indexParams }],
    }));
    for (let first = 0; first < records.length; first += 1000) {
      const docs = records.slice(first, first + 1000)
        .map((record, i) => ({ id: String(first + i), vectors: { w: Object.fromEntries(record) } }));
      const statuses = this.collection.insertSync(docs);
      const bad = statuses.find((status) => !status.ok);
      if (bad) throw new Error('zvec: insert: ' + bad.message);
    }
    this.collection.optimizeSync();
  }

  prepare(query, k, ef) {
    const asked = { fieldName: 'w', vector: Object.fromEntries(query), topk: k, outputFields: [] };
    if (ef) asked.params = { indexType: zvec.ZVecIndexType.HNSW, ef };
    return () => this.collection.querySync(asked).map((doc) => Number(doc.id));
  }

  remove() {
    this.collection.closeSync();
    rmSync(this.place, { recursive: true });
  }
}
