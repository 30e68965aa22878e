//! Throw-away certificates for the connection between node and signer.
use anyhow::Result;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyUsagePurpose};

/// All in PEM.
pub struct Certificates {
    pub ca: String,
    pub server_cert: String,
    pub server_key: String,
    pub client_cert: String,
    pub client_key: String,
}

impl Certificates {
    pub fn new() -> Result<Certificates> {
        let mut params = CertificateParams::new(vec![]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "gl-hsmd CA");
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
        let ca = Certificate::from_params(params)?;
        let (server_cert, server_key) = signed("localhost", &ca)?;
        // The signer reads its own name from the certificate.
        let (client_cert, client_key) = signed("/users/00/device", &ca)?;
        Ok(Certificates { ca: ca.serialize_pem()?, server_cert, server_key, client_cert, client_key })
    }
}

fn signed(name: &str, ca: &Certificate) -> Result<(String, String)> {
    let mut params = CertificateParams::new(vec!["localhost".to_string()]);
    params.distinguished_name.push(DnType::CommonName, name);
    let cert = Certificate::from_params(params)?;
    Ok((cert.serialize_pem_with_signer(ca)?, cert.serialize_private_key_pem()))
}
