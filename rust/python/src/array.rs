//! Checked views of the arrays that Python passes in: NumPy arrays and CPU torch tensors.
//!
//! Everything about an array that could make a write go astray is checked before its memory is touched: its class, dtype,
//! layout, shape, and that it may be written to. The invariant of [`Rows`]: `data` points to `rows` runs of `width`
//! aligned, initialised elements, `stride` elements apart and not overlapping, that live as long as `_owner` does.
//!
//! Two threads that write to one array at once get torn rows, as with every NumPy function that releases the GIL, but
//! nothing worse: no element that is read here becomes an index or an address. NumPy refuses to resize an array that is
//! referenced from elsewhere (`refcheck=False` waives that at the caller's risk), and so does torch once its memory is
//! shared.

use crate::error::{invalid_argument, invalid_bitmask};
use numpy::npyffi::{_PyArray_GET_ITEM_DATA, NPY_ARRAY_WRITEABLE};
use numpy::prelude::*;
use numpy::{Element, PyArrayDyn, PyUntypedArray};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::ptr::NonNull;

/// The rows of an array of shape `(rows, width)`, or `(width,)` for a single row.
pub(crate) struct Rows<'py, T> {
    data: *mut T,
    rows: usize,
    width: usize,
    stride: usize,
    /// Keeps the memory alive.
    _owner: Bound<'py, PyAny>,
}

/// A C-contiguous int32 bitmask, seen as unsigned words.
pub(crate) type Bitmask<'py> = Rows<'py, u32>;

impl<'py, T> Rows<'py, T> {
    /// The view, once the address and shape are known. Fails on what cannot be rows.
    fn checked(
        data: *mut T,
        shape: &[usize],
        stride: Option<isize>,
        owner: &Bound<'py, PyAny>,
    ) -> Result<Self, String> {
        let (rows, width) = match *shape {
            [width] => (1, width),
            [rows, width] => (rows, width),
            _ => return Err(format!("the shape must be (batch, width) or (width,), got {shape:?}")),
        };
        let stride = match stride {
            Some(stride) if rows > 1 => usize::try_from(stride).unwrap_or(0),
            _ => width,
        };
        if stride < width {
            return Err("its rows overlap or are in reverse order".into());
        }
        let data = if rows * width == 0 { NonNull::dangling().as_ptr() } else { data };
        if data.is_null() || !data.is_aligned() {
            return Err("its memory is missing or not aligned".into());
        }
        Ok(Self { data, rows, width, stride, _owner: owner.clone() })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// The row of this index, if there is one.
    pub(crate) fn row(&self, index: usize) -> Option<&[T]> {
        // SAFETY: the row lies inside the array by the test; the invariant of the type gives the rest.
        let row = || unsafe { std::slice::from_raw_parts(self.data.add(index * self.stride), self.width) };
        (index < self.rows).then(row)
    }

    /// The row of this index, to be written, if there is one.
    pub(crate) fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        // SAFETY: as for `row`; `&mut self` makes this the only slice of this view.
        let row =
            || unsafe { std::slice::from_raw_parts_mut(self.data.add(index * self.stride), self.width) };
        (index < self.rows).then(row)
    }

    /// Several rows at once, to be written, in the order of `indices`: each in range, and none twice.
    pub(crate) fn rows_mut(&mut self, indices: &[usize]) -> PyResult<Vec<&mut [T]>> {
        let mut taken = vec![false; self.rows];
        for &index in indices {
            let Some(taken) = taken.get_mut(index) else {
                return Err(invalid_argument(format!(
                    "row {index} is out of range: there are {}",
                    self.rows
                )));
            };
            if std::mem::replace(taken, true) {
                return Err(invalid_argument(format!("row {index} is named twice")));
            }
        }
        // SAFETY: each row lies inside the array and none is taken twice; rows do not overlap (invariant), so the slices
        // are disjoint, and they borrow `self` mutably, so no other slice of this view exists beside them.
        let row = |&i: &usize| unsafe {
            std::slice::from_raw_parts_mut(self.data.add(i * self.stride), self.width)
        };
        Ok(indices.iter().map(row).collect())
    }
}

impl<'py, T: Element> Rows<'py, T> {
    /// A writable NumPy array whose last axis is contiguous; any distance between its rows.
    pub(crate) fn strided(array: &Bound<'py, PyArrayDyn<T>>) -> Result<Self, String> {
        if !is_writeable(array.as_untyped()) {
            return Err("it is read-only".into());
        }
        if array.is_empty() {
            return Self::checked(array.data(), array.shape(), None, array.as_any());
        }
        let (shape, strides, size) = (array.shape(), array.strides(), size_of::<T>() as isize);
        if shape.last().is_some_and(|&width| width > 1) && strides.last() != Some(&size) {
            return Err("its last axis must be contiguous".into());
        }
        if strides.iter().any(|stride| stride % size != 0) {
            return Err("its memory is missing or not aligned".into());
        }
        let between_rows = (strides.len() == 2).then(|| strides[0] / size);
        Self::checked(array.data(), shape, between_rows, array.as_any())
    }
}

impl<'py> Bitmask<'py> {
    /// A bitmask that will be written to.
    pub(crate) fn writable(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::new(object, true)
    }

    /// A bitmask that will only be read.
    pub(crate) fn readonly(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::new(object, false)
    }

    /// The row of this index, to be written, or the error that says why not.
    pub(crate) fn try_row_mut(&mut self, index: usize) -> PyResult<&mut [u32]> {
        let rows = self.rows;
        self.row_mut(index)
            .ok_or_else(|| invalid_bitmask(format!("row {index} is out of range: it has {rows} rows")))
    }

    fn new(object: &Bound<'py, PyAny>, write: bool) -> PyResult<Self> {
        if let Ok(array) = object.cast::<PyUntypedArray>() {
            return Self::from_numpy(array, write);
        }
        if let Some(torch) = Torch::of_tensor(object) {
            return torch.bitmask(object);
        }
        // Subclasses of torch.Tensor may override anything: their own view as a NumPy array is what gets checked.
        let view = object.call_method0(intern!(object.py(), "numpy")).map_err(|_| not_an_array(object))?;
        Self::from_numpy(view.cast().map_err(|_| not_an_array(object))?, write)
    }

    fn from_numpy(array: &Bound<'py, PyUntypedArray>, write: bool) -> PyResult<Self> {
        let Ok(ints) = array.cast::<PyArrayDyn<i32>>() else {
            return Err(invalid_bitmask(format!("its dtype must be int32, got {}", array.dtype())));
        };
        if !ints.is_c_contiguous() {
            return Err(invalid_bitmask(
                "it must be C-contiguous; pass a copy made by `numpy.ascontiguousarray`",
            ));
        }
        if write && !is_writeable(array) {
            return Err(invalid_bitmask("it is read-only"));
        }
        Self::checked(ints.data().cast(), ints.shape(), None, array.as_any()).map_err(invalid_bitmask)
    }
}

/// What to say of an object that is no array at all.
fn not_an_array(object: &Bound<'_, PyAny>) -> PyErr {
    let class = object.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string());
    invalid_bitmask(format!("it must be a NumPy array or a torch tensor on the CPU, got {class}"))
}

/// Whether NumPy lets the elements be written.
fn is_writeable(array: &Bound<'_, PyUntypedArray>) -> bool {
    // SAFETY: the pointer comes from a live `Bound` and the interpreter is attached, so NumPy's struct is there to read.
    unsafe { (*_PyArray_GET_ITEM_DATA(array.as_array_ptr())).flags & NPY_ARRAY_WRITEABLE != 0 }
}

/// What is needed of torch: looked up once, and only when the caller has imported it.
struct Torch {
    tensor: Py<PyAny>,
    int32: Py<PyAny>,
}

static TORCH: PyOnceLock<Torch> = PyOnceLock::new();

impl Torch {
    /// Torch, if `object` is exactly a `torch.Tensor`: a subclass could say anything about its own layout.
    fn of_tensor(object: &Bound<'_, PyAny>) -> Option<&'static Self> {
        let torch = TORCH.get_or_try_init(object.py(), || Self::imported(object.py())).ok()?;
        object.get_type().is(&torch.tensor).then_some(torch)
    }

    /// Torch as it stands in `sys.modules`; this never imports it.
    fn imported(py: Python<'_>) -> PyResult<Self> {
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let torch = modules.get_item(intern!(py, "torch"))?;
        let attribute = |name| torch.getattr(name).map(Bound::unbind);
        Ok(Self { tensor: attribute("Tensor")?, int32: attribute("int32")? })
    }

    fn bitmask<'py>(&self, tensor: &Bound<'py, PyAny>) -> PyResult<Bitmask<'py>> {
        let py = tensor.py();
        let dtype = tensor.getattr(intern!(py, "dtype"))?;
        if !dtype.is(&self.int32) {
            return Err(invalid_bitmask(format!("its dtype must be int32, got {dtype}")));
        }
        if !tensor.getattr(intern!(py, "is_cpu"))?.is_truthy()? {
            let device = tensor.getattr(intern!(py, "device"))?;
            return Err(invalid_bitmask(format!("it must be on the CPU, got {device}")));
        }
        if !tensor.call_method0(intern!(py, "is_contiguous"))?.is_truthy()? {
            return Err(invalid_bitmask("it must be contiguous; pass a copy made by `contiguous()`"));
        }
        let shape: Vec<usize> = tensor.getattr(intern!(py, "shape"))?.extract()?;
        // A tensor of exactly torch's own class tells the truth about its address and shape.
        let address: usize = tensor.call_method0(intern!(py, "data_ptr"))?.extract()?;
        let data = std::ptr::with_exposed_provenance_mut(address);
        Bitmask::checked(data, &shape, None, tensor).map_err(invalid_bitmask)
    }
}
