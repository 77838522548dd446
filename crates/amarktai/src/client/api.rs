//! One server and how it is asked: JSON in, JSON out, problems as sentences.

use super::failure::Failure;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// To reach the server: it is on this machine or near.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For one answer: the server itself gives up after 30 s.
const ANSWER_TIME: Duration = Duration::from_secs(35);
/// Largest answer that is read: a page of 500 rows is below one of them.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An order is sent so often at most: a connection that breaks twice will break again.
const POST_TRIES: u32 = 2;

/// A token and where it was found, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) origin: String,
}

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: Client,
    address: String,
    token: Option<Token>,
}

impl Api {
    /// At `HOST:PORT`.
    pub(crate) fn new(address: String, token: Option<Token>) -> Result<Self, Failure> {
        // The HTTP library brings no TLS provider of its own and is built only with one.
        exchanges::install_tls();
        let http = Client::builder().no_proxy().connect_timeout(CONNECT_TIME).build();
        let http = http.map_err(|e| Failure::could_not(format!("HTTP cannot be set up: {e}")))?;
        Ok(Self { http, address, token })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(&token.text),
            None => request,
        }
    }

    /// Sends one; any answer is an answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|e| self.unreachable(&e))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let address = &self.address;
        Failure::could_not(if error.is_connect() {
            format!(
                "no server answers at {address}; start it with `amarktai run`, or name its \
                 address with --listen or its data directory with --data-dir"
            )
        } else if error.is_timeout() {
            format!("{address} did not answer in time; look before you order it again")
        } else {
            format!("{address}: {}", deepest(error))
        })
    }

    /// Asks for something.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(self.request(Method::GET, path)).await
    }

    /// Asks with a query.
    pub(crate) async fn find(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Value, Failure> {
        self.call(self.request(Method::GET, path).query(query)).await
    }

    /// Orders something, once: sent again under the same key where the connection broke before the
    /// answer, so that nobody has to guess whether it was carried out.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let key = format!("{:032x}", rand::random::<u128>());
        let mut tries = 1;
        loop {
            let request = self.request(Method::POST, path).header("idempotency-key", &key);
            let request = with_body(request, body).timeout(ANSWER_TIME);
            match request.send().await {
                Ok(response) => return self.answer(response).await,
                Err(e) if tries < POST_TRIES && is_broken(&e) => tries += 1,
                Err(e) => return Err(self.unreachable(&e)),
            }
        }
    }

    /// Orders what is the same however often it is ordered, without a key: a key is stored first,
    /// and the emergency stop does not wait for a store.
    pub(crate) async fn post_at_once(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    /// Replaces something.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(self.request(Method::PUT, path).json(body)).await
    }

    /// Ends something.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(self.request(Method::DELETE, path)).await
    }

    /// Sends a request and reads its answer; a problem is a failure.
    pub(crate) async fn call(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = self.send(request.timeout(ANSWER_TIME)).await?;
        self.answer(response).await
    }

    async fn answer(&self, response: Response) -> Result<Value, Failure> {
        let status = response.status();
        let json = self.body(response).await?;
        if status.is_success() { Ok(json) } else { Err(self.problem(status, &json)) }
    }

    /// A file as the server gives it, to the byte.
    pub(crate) async fn file(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let request = self.request(Method::GET, path).timeout(ANSWER_TIME);
        let response = self.send(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.problem(status, &self.body(response).await?));
        }
        self.bytes(response).await
    }

    async fn bytes(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                let most = ANSWER_BYTES_MAX;
                let reason = format!("{}: the answer is over {most} bytes", self.address);
                return Err(Failure::could_not(reason));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The JSON of an answer; nothing is `null`.
    pub(crate) async fn body(&self, response: Response) -> Result<Value, Failure> {
        let bytes = self.bytes(response).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|_| {
            let reason = "answers something else than JSON; is it Amarktai?";
            Failure::could_not(format!("{} {reason}", self.address))
        })
    }

    /// What the server refused, in its words.
    pub(crate) fn problem(&self, status: StatusCode, problem: &Value) -> Failure {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::could_not(self.not_let_in());
        }
        let detail = problem["detail"].as_str();
        let detail =
            detail.map_or_else(|| format!("{} answers {status}", self.address), str::to_owned);
        match problem["code"].as_str() {
            Some(code) => Failure::could_not(format!("{detail} ({code})")),
            None => Failure::could_not(detail),
        }
    }

    fn not_let_in(&self) -> String {
        let address = &self.address;
        let make = "make one with `amarktai tokens create` where the server's data directory is, \
                    and set AMARKTAI_TOKEN";
        match &self.token {
            Some(token) => format!("{address} does not know the token of {}; {make}", token.origin),
            None => format!("{address} asks for a token and there is none; {make}"),
        }
    }
}

/// Was it sent, and broke off before the answer? Nobody listening and nobody answering in time are
/// not mended by asking again.
fn is_broken(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}

fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    match body {
        Some(body) => request.json(body),
        None => request,
    }
}

/// The innermost reason: the outer ones only repeat the address.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    reason.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Answers nothing at first, then an empty object; gives what was sent.
    fn breaks_once(listener: TcpListener) -> Vec<String> {
        let mut sent = Vec::new();
        for is_broken in [true, false] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4_096];
            let read = stream.read(&mut request).unwrap();
            sent.push(String::from_utf8_lossy(&request[..read]).to_lowercase());
            if !is_broken {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            }
        }
        sent
    }

    #[tokio::test]
    async fn an_order_whose_answer_was_lost_is_sent_again_under_the_same_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || breaks_once(listener));
        let api = Api::new(address, None).unwrap();
        assert_eq!(api.post("/api/bots/1/pause", None).await.unwrap(), serde_json::json!({}));
        let sent = server.join().unwrap();
        let key = |request: &String| {
            let mut lines = request.lines();
            lines.find(|line| line.starts_with("idempotency-key: ")).map(str::to_owned)
        };
        assert!(key(&sent[0]).is_some_and(|key| key.len() == 49), "{sent:?}");
        assert_eq!(key(&sent[0]), key(&sent[1]));
    }
}
