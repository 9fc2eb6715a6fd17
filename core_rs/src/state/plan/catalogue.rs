//! Commands on what orders refer to: scan domains, products, key spaces.

use super::draft::Draft;
use super::{PlanContext, Stop, bad_field, expect_name, expect_text, refuse};
use crate::code::{Face, Format, KeySize, Pairing};
use crate::state::command::{FaceSlot, NAME_BYTES_MAX, OpenKeySpace, SetDomain, SetProduct};
use crate::state::gs1::gtin14;
use crate::state::key_space::KeySpaceMeta;
use crate::state::product::Product;
use crate::state::report::RefusalReason;
use crate::state::snapshot::Domain;
use crate::state::stored::{domain_put, key_space_put, product_put};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Longest part of a host name between dots.
const LABEL_BYTES_MAX: usize = 63;
/// Longest address a product may lead to.
const LINK_BYTES_MAX: usize = 2_048;

/// Give the tenant a scan domain. The same again changes nothing.
pub(super) fn set_domain<'a>(context: &'a PlanContext<'a>, command: &SetDomain) -> Result<Draft<'a>, Stop> {
    if !is_host(&command.host) {
        return bad_field(
            "host",
            format!(
                "{:?}; accepted are a host name in lower case without port and root dot, an IPv4 address and an IPv6 \
                 address in brackets in its shortest form, of 1 to {NAME_BYTES_MAX} bytes",
                command.host
            ),
        );
    }
    let mut draft = Draft::new(context);
    let tenant = draft.tenant();
    match context.snapshot.domain_of_host(command.host.as_bytes()) {
        Some(domain) if domain.tenant != tenant => {
            refuse(RefusalReason::DomainTaken, format!("host {:?} belongs to another tenant", command.host))
        }
        Some(domain) => {
            let put = domain_put(domain.id, tenant, &command.host);
            draft.put_entry(Some(put.clone()), put);
            Ok(draft)
        }
        None => {
            draft.put_entry(None, domain_put(draft.next.next_domain(), tenant, &command.host));
            draft.next.add_domain(tenant, &command.host);
            Ok(draft)
        }
    }
}

/// Whether a scan can have this host: what a `Host` header is reduced to before its domain is looked up. A name is of
/// labels as RFC 1123, section 2.1 has them; one whose last label is a number is an IPv4 address (URL standard,
/// section 3.5); an IPv6 address is written as RFC 5952 says.
fn is_host(host: &str) -> bool {
    if host.len() > NAME_BYTES_MAX {
        return false;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let is_character = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    host.split('.').all(|label| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_character)
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// Describe a product; orders of it show the new texts at once.
pub(super) fn set_product<'a>(context: &'a PlanContext<'a>, command: &SetProduct) -> Result<Draft<'a>, Stop> {
    expect_product(command)?;
    let mut draft = Draft::new(context);
    let tenant = draft.tenant();
    let known = context.snapshot.product(tenant, &command.product);
    let id = known.map_or_else(|| draft.next.next_product(), |known| known.id);
    let product = Product { id, tenant, description: command.clone() };
    draft.put_entry(known.map(|known| product_put(known)), product_put(&product));
    draft.next.put_product(product);
    Ok(draft)
}

fn expect_product(command: &SetProduct) -> Result<(), Stop> {
    expect_name("product", &command.product)?;
    expect_text("name", &command.name)?;
    let optional = [
        ("name_en", &command.name_en),
        ("brand", &command.brand),
        ("brand_en", &command.brand_en),
        ("recall_instructions", &command.recall_instructions),
    ];
    for (field, text) in optional {
        text.as_deref().map_or(Ok(()), |text| expect_text(field, text))?;
    }
    if let Some(gtin) = command.gtin.as_deref().filter(|gtin| gtin14(gtin).is_none()) {
        return bad_field(
            "gtin",
            format!("{gtin:?}; accepted are 8, 12, 13 or 14 digits with their GS1 check digit"),
        );
    }
    match command.link.as_deref() {
        Some(link) if !is_link(link) => bad_field(
            "link",
            format!(
                "accepted is an http:// or https:// address of at most {LINK_BYTES_MAX} printable ASCII characters"
            ),
        ),
        _ => Ok(()),
    }
}

/// An address that may stand in a `Location` header as it is.
fn is_link(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let is_plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
    link.len() <= LINK_BYTES_MAX && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain))
}

/// Open an epoch of a series. The same again changes nothing.
pub(super) fn open_key_space<'a>(
    context: &'a PlanContext<'a>,
    command: &OpenKeySpace,
) -> Result<Draft<'a>, Stop> {
    expect_name("series", &command.series)?;
    let mut draft = Draft::new(context);
    let tenant = draft.tenant();
    let domain = match context.snapshot.domain_of_host(command.domain.as_bytes()) {
        Some(domain) if domain.tenant == tenant => domain,
        _ => {
            return refuse(
                RefusalReason::UnknownDomain,
                format!("domain {:?} does not exist", command.domain),
            );
        }
    };
    let meta = key_space_meta(draft.next.next_key_space(), tenant, domain.id, command)?;
    if let Some(known) =
        context.snapshot.epochs_of(tenant, &command.series).find(|k| k.meta.epoch == meta.epoch)
    {
        let same = KeySpaceMeta { id: known.meta.id, ..meta.clone() };
        if same != *known.meta {
            let message = format!("series {} has an epoch {} with other content", meta.series, meta.epoch);
            return refuse(RefusalReason::Conflict, message);
        }
        let put = key_space_put(&same);
        draft.put_entry(Some(put.clone()), put);
        draft.report.key_space = Some(same.id);
        return Ok(draft);
    }
    expect_renewal(context, tenant, &meta)?;
    expect_free_slots(domain, meta.format, &command.faces)?;
    draft.put_entry(None, key_space_put(&meta));
    draft.report.key_space = Some(meta.id);
    draft.next.add_key_space(meta, context.keyring)?;
    Ok(draft)
}

fn key_space_meta(id: u32, tenant: u32, domain: u32, command: &OpenKeySpace) -> Result<KeySpaceMeta, Stop> {
    let Some(key_size) = KeySize::from_bits(command.key_bits.into()) else {
        return bad_field("key_bits", format!("{}; accepted are 128 and 256", command.key_bits));
    };
    let is_hex = command.nonce.len() == 32 && command.nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    let nonce = u128::from_str_radix(&command.nonce, 16).ok().filter(|_| is_hex);
    let Some(nonce) = nonce else {
        return bad_field("nonce", "accepted are 32 hexadecimal digits");
    };
    let mut faces: Vec<(Face, u16)> = command.faces.iter().map(|face| (face.face, face.slot)).collect();
    faces.sort_unstable();
    let fits = match (command.pairing, faces.as_slice()) {
        (Pairing::Single, []) => true,
        (Pairing::Single | Pairing::Associated, [_]) => true,
        (Pairing::SameSerial, [(Face::Outer, outer), (Face::Inner, inner)]) => outer != inner,
        _ => false,
    };
    if !fits {
        return bad_field(
            "faces",
            "accepted are one face for single and associated pairing, outer and inner in different slots for \
             same_serial, and none (imported codes) for single",
        );
    }
    Ok(KeySpaceMeta {
        id,
        tenant,
        domain,
        series: command.series.as_str().into(),
        epoch: command.epoch,
        format: command.format,
        level: command.level,
        pairing: command.pairing,
        key_size,
        nonce: nonce.to_be_bytes(),
        faces,
    })
}

/// A series keeps format, level and pairing; its epochs rise.
fn expect_renewal(context: &PlanContext<'_>, tenant: u32, meta: &KeySpaceMeta) -> Result<(), Stop> {
    let Some(last) = context.snapshot.epochs_of(tenant, &meta.series).next_back().map(|last| &last.meta)
    else {
        return Ok(());
    };
    if meta.epoch <= last.epoch {
        return bad_field(
            "epoch",
            format!("{}; the series is at epoch {} and only rises", meta.epoch, last.epoch),
        );
    }
    let kind = |meta: &KeySpaceMeta| (meta.format, meta.level, meta.pairing, meta.is_keyless());
    if kind(meta) == kind(last) {
        return Ok(());
    }
    let message = format!("series {} keeps its format, level and pairing in every epoch", meta.series);
    refuse(RefusalReason::Conflict, message)
}

fn expect_free_slots(domain: &Arc<Domain>, format: Format, faces: &[FaceSlot]) -> Result<(), Stop> {
    for &FaceSlot { slot, .. } in faces {
        if slot >= format.slot_count() {
            let last = format.slot_count() - 1;
            return bad_field("faces", format!("slot {slot}; {} has slots 0 to {last}", format.name()));
        }
        if domain.slot(format, slot).is_some() {
            let message = format!("slot {slot} of {} at {} was used before", format.name(), domain.host);
            return refuse(RefusalReason::SlotTaken, message);
        }
    }
    Ok(())
}
