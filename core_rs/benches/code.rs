//! Codes per second on one core, beside the raw AES rate (ten blocks per code is the limit).

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use imp_core::code::{AesCipher, Block, BlockCipher, Format, Key, LANES, SlotCipher, WordFilter, parse};

const CODES: usize = 100_000;
const BLOCKS_PER_CODE: usize = 10;

fn raw_aes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aes");
    group.throughput(Throughput::Elements(CODES as u64));
    let aes = AesCipher::from_bytes(&[7; 16]).unwrap();
    group.bench_function("ten_blocks_per_code", |bencher| {
        let mut blocks = [Block::default(); LANES];
        bencher.iter(|| {
            for _ in 0..CODES * BLOCKS_PER_CODE / LANES {
                aes.encrypt_blocks(black_box(&mut blocks));
            }
        });
    });
}

fn codes(criterion: &mut Criterion) {
    for &format in Format::ALL {
        let cipher = SlotCipher::new(format, 1, &Key::from_bytes(&[7; 16]).unwrap()).unwrap();
        let width = format.code_len();
        let mut texts = vec![0; CODES * width];
        cipher.encode_range(0, CODES, &mut texts, 1).unwrap();
        let mut group = criterion.benchmark_group(format.name());
        group.throughput(Throughput::Elements(CODES as u64));
        group.bench_function("encode_range", |bencher| {
            let mut out = vec![0; CODES * width];
            bencher.iter(|| cipher.encode_range(0, CODES, black_box(&mut out), 1).unwrap());
        });
        group.bench_function("decode_packed", |bencher| {
            let mut out = vec![0; CODES];
            bencher.iter(|| cipher.decode_packed(black_box(&texts), &mut out, 1).unwrap());
        });
        group.bench_function("decode_one_by_one", |bencher| {
            bencher.iter(|| texts.chunks(width).map(|text| cipher.decode(text).unwrap()).sum::<u64>());
        });
        group.bench_function("encode_one_by_one", |bencher| {
            bencher.iter(|| {
                for serial in 0..CODES as u64 {
                    black_box(cipher.encode(serial));
                }
            });
        });
        group.bench_function("parse", |bencher| {
            bencher.iter(|| texts.chunks(width).filter(|text| parse(black_box(text)).is_ok()).count());
        });
        let words = WordFilter::version(1).unwrap();
        group.bench_function("word_filter", |bencher| {
            bencher.iter(|| texts.chunks(width).filter(|text| words.matches(black_box(text))).count());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1))
        .warm_up_time(std::time::Duration::from_millis(300));
    targets = raw_aes, codes
}
criterion_main!(benches);
