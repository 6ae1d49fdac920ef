//! What a controller answers on its own port.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// A port of 127.0.0.1 that nobody has.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Status and body of an answer; status 0 for none.
pub fn ask(port: u16, path: &str, token: Option<&str>) -> (u16, String) {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let login = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let login = login.unwrap_or_default();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\n{login}Connection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let answer = answer().unwrap_or_default();
    let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap_or_default().1;
    (status, body.to_owned())
}
